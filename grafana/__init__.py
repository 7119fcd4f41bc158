"""The dashboards, written in Python: ``python -m grafana`` generates ``grafana/dashboards/*.json``.

Nothing here is part of the program: the package that is installed has neither this directory nor what it imports.
"""
