"""What holds for all tests."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that a script has put into the background: its children would not hear Ctrl-C either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
