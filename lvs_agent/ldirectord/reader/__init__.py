"""Reads an ldirectord.cf into the tables that a TOML file would give.

The way of a file: ``lines`` makes text of bytes, ``entries`` finds the directives on a line (all of them are in
``directives``), ``blocks`` gives each to its virtual service.  ``values``, ``addresses`` and ``servers`` read what is
behind the =, ``settings`` and ``virtuals`` apply ldirectord's defaults, ``checks`` and ``rows`` decide what that means
here, ``tables`` lays it out.  ``reading`` does all of it in turn.  Only ``names`` asks the system anything.
"""

from __future__ import annotations

from lvs_agent.ldirectord.reader.document import AlertSettings, Reading
from lvs_agent.ldirectord.reader.reading import read_ldirectord

__all__ = ["AlertSettings", "Reading", "read_ldirectord"]
