from tests.logs import tell_plainly

pytest_plugins = ["tests.databases"]
tell_plainly()
