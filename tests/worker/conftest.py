from tests.cli.conftest import forks, key_file

__all__ = ["forks", "key_file"]
