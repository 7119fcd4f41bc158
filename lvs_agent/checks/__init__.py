"""Checks of real servers, in three rooms: ``engine`` (when a probe runs), ``kinds`` (what it asks) and ``net`` (how it
talks).  Imports go in that order.
"""
