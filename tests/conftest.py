"""What every test module may use."""

from hypothesis import settings

pytest_plugins = ["tests.lab.plugin"]

# An example may take as long as a busy machine makes it; tests that hang have pytest's own time limit.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
