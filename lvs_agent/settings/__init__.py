"""Value types that people write in a configuration, and the base of every settings model.

Used by ``config`` and by the kinds of checks alike, so that a duration is written the same everywhere.  Only types and
their validation: nothing here knows what a setting is for.
"""
