"""What checkers do by way of a client library: one module each, imported when the first check of its kind runs.

Looking for checkers imports every module beside them, so these have a package of their own.
"""
