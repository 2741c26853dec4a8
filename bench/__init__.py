"""How fast the service is: each figure beside its floor, taken in the same run on the same machine. `make bench` runs
it."""
