"""What every test module may use."""

import signal

from hypothesis import settings

pytest_plugins = ["tests.lab.plugin"]

# An example may take as long as a busy machine makes it; tests that hang have pytest's own time limit.
settings.register_profile("patient", deadline=None)
# For tests that run once more in another setting, after they have run with all their examples in this one.
settings.register_profile("few", deadline=None, max_examples=5)
settings.load_profile("patient")

# A shell has what it starts in the background ignore SIGINT, and so do the programs that the tests start then.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
