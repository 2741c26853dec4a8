"""`python -m app.cli` is the command too."""

from app.cli import main

main()
