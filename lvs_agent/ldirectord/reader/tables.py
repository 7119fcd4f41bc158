"""From a virtual service as ldirectord sees it to the table that a TOML file would have for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lvs_agent.config.schema.values import MAX_PERSISTENCE_S, parse_netmask
from lvs_agent.config.suggest import enumerate_words, nearest
from lvs_agent.ldirectord.reader.commands import fallback_command
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.rows import server_tables, sorry_table
from lvs_agent.ldirectord.reader.settings import Globals
from lvs_agent.ldirectord.reader.tree import Table, given, seconds
from lvs_agent.ldirectord.reader.values import Placed, Values, shown
from lvs_agent.ldirectord.reader.virtuals import CheckType, Virtual
from lvs_agent.model.ipvs import (
    SCHEDULER_FLAG_NAMES,
    SCHEDULERS,
    AddressKey,
    Family,
    FwmarkKey,
    Protocol,
    ServiceKey,
)
from lvs_agent.one_line import one_line

DEFAULT_SCHEDULER = "wrr"
LONGEST_COMMENT = 1_000
_KEEPS_CHOOSING = frozenset({"sh", "mh", "dh"})
_SCHEDULER = re.compile(r"[A-Za-z]+")
_PREFIX = re.compile(r"[0-9]{1,3}")


def service_key(virtual: Virtual) -> ServiceKey | None:
    """What the kernel finds ``virtual`` by."""
    if virtual.mark is not None:
        return FwmarkKey(virtual.mark, virtual.family)
    return None if virtual.address is None else AddressKey(Protocol(virtual.protocol), virtual.address, virtual.port)


def global_tables(around: Globals, *, state_dir: str) -> dict[str, Placed[Table]]:
    """The tables [agent] and [defaults]; ldirectord's defaults are written out where ours are others."""
    agent = given(
        state_dir=Placed(state_dir, 0),
        on_stop=_on_stop(around.clean_stop or Placed(value=True, line=0)),
        reload_on_change=around.auto_reload or Placed(value=False, line=0),
        maintenance_dir=around.maintenance_dir,
    )
    check = given(
        interval=seconds(around.interval or Placed(10, 0)),
        rise=Placed(1, 0),
        fall=around.failures or Placed(1, 0),
    )
    defaults = given(
        scheduler=Placed(DEFAULT_SCHEDULER, 0),
        on_down=None if around.quiescent is None else _on_down(around.quiescent),
        readd_quiesced=around.readd_quiescent or Placed(value=False, line=0),
        check=Placed(check, 0),
    )
    return {"agent": Placed(agent, 0), "defaults": Placed(defaults, 0)}


def service_table(virtual: Virtual, *, around: Globals, name: Placed[str] | None, notes: Notes) -> Table:
    """The table of ``virtual``, which is called ``name`` (None: as every service without a name is)."""
    return _ServiceTable(virtual, around, notes).table(name)


@dataclass(frozen=True, slots=True)
class _ServiceTable:
    virtual: Virtual
    around: Globals
    notes: Notes

    def table(self, name: Placed[str] | None) -> Table:
        virtual, values = self.virtual, self.virtual.values
        scheduler = self._scheduler(values)
        quiescent = values.switch("quiescent")
        check, servers = server_tables(virtual, notes=self.notes)
        check |= self._times(values)
        stop = values.switch("cleanstop")
        off = virtual.check_type.value is CheckType.OFF
        return given(
            name=name,
            comment=self._comment(values),
            **self._key(),
            scheduler=scheduler,
            scheduler_flags=self._flags(values, scheduler="wrr" if scheduler is None else scheduler.value),
            persistence=self._persistence(values),
            one_packet=self._one_packet(values),
            on_down=None if quiescent is None else _on_down(quiescent),
            on_stop=None if stop is None else _on_stop(stop),
            allow_weight_zero=self._allows_zero(scheduler, quiescent or self.around.quiescent),
            monitor_file=values.text("monitorfile"),
            sorry_server=sorry_table(virtual, around=self.around, notes=self.notes),
            sorry_command=self._sorry_command(values),
            checked=Placed(value=False, line=virtual.check_type.line) if off else None,
            check=Placed(check, virtual.line) if check else None,
            real_server=Placed(servers, virtual.line) if servers else None,
        )

    # --- the service -----------------------------------------------------------------------------------------------

    def _key(self) -> Table:
        virtual, line = self.virtual, self.virtual.line
        if virtual.mark is not None:
            six = Placed("inet6", line) if virtual.family is Family.INET6 else None
            return given(fwmark=Placed(virtual.mark, line), family=six)
        udp = Placed("udp", line) if virtual.protocol == "udp" else None
        return given(protocol=udp, address=Placed(str(virtual.address), line), port=Placed(virtual.port, line))

    def _comment(self, values: Values) -> Placed[str] | None:
        comment = values.text("comment")
        if comment is None:
            return None
        text = one_line(comment.value, instead=" ")
        if len(text) > LONGEST_COMMENT:
            self.notes.warning(comment.line, f"comment is cut after {LONGEST_COMMENT} characters")
        return Placed(text[:LONGEST_COMMENT].strip() or "-", comment.line)

    def _scheduler(self, values: Values) -> Placed[str] | None:
        found = values.word("scheduler")
        if found is None:
            return None
        word = (_SCHEDULER.match(found.value) or [""])[0].lower()
        if word not in SCHEDULERS:
            guess = nearest(word, known=SCHEDULERS)
            hint = f"; did you mean {guess}?" if guess else ""
            self.notes.error(found.line, f"scheduler must be {enumerate_words(SCHEDULERS)}{hint}")
            return None
        if word != found.value:
            self.notes.warning(found.line, f"scheduler: {shown(found.value)} is read as {word}")
        return Placed(word, found.line)

    def _flags(self, values: Values, *, scheduler: str) -> Placed[list[str]] | None:
        found = values.word("schedflags")
        if found is None:
            return None
        flags = [flag for flag in found.value.split(",") if flag]
        wrong = [flag for flag in flags if flag not in SCHEDULER_FLAG_NAMES]
        if wrong:
            text = f"schedflags has {shown(wrong[0])}; ipvsadm takes {enumerate_words(tuple(SCHEDULER_FLAG_NAMES))}"
            self.notes.error(found.line, text)
            return None
        strange = [flag for flag in flags if flag.partition("-")[0] not in {"flag", scheduler}]
        if strange:
            text = f"schedflags: {shown(strange[0])} is not a flag of the scheduler {scheduler} and is left out; with"
            self.notes.warning(found.line, f"{text} ldirectord the virtual service is never created")
        flags = [flag for flag in flags if flag not in strange]
        return Placed(flags, found.line) if flags else None

    def _persistence(self, values: Values) -> Placed[Table] | None:
        kept, mask = values.number("persistent"), values.word("netmask")
        if kept is None:
            if mask is not None and values.entry("persistent") is None:
                self.notes.warning(mask.line, "netmask has no effect without persistent, as with ldirectord")
            return None
        if kept.value > MAX_PERSISTENCE_S:
            text = f"persistent must be at most {MAX_PERSISTENCE_S} seconds (31 days); the kernel refuses more"
            self.notes.error(kept.line, text)
            return None
        return Placed({"timeout": seconds(kept), **({} if mask is None else self._netmask(mask))}, kept.line)

    def _netmask(self, mask: Placed[str]) -> Table:
        if _PREFIX.fullmatch(mask.value) and 1 <= int(mask.value) <= (128 if self._six else 32):
            if not self._six:
                text = f"netmask={mask.value} is read as a prefix length; ldirectord requires four numbers with dots"
                self.notes.warning(mask.line, text)
            return {"prefix_length": Placed(int(mask.value), mask.line)}
        try:
            wrong = "must be a prefix length from 1 to 128 here" if self._six else ""
            netmask = None if self._six else str(parse_netmask(mask.value))
        except ValueError as error:
            wrong, netmask = str(error), None
        if netmask is None:
            self.notes.error(mask.line, f"netmask {wrong}")
            return {}
        return {"netmask": Placed(netmask, mask.line)}

    def _one_packet(self, values: Values) -> Placed[bool] | None:
        found = values.switch("ops")
        if found is None or not found.value:
            return None
        if self.virtual.protocol != "udp":
            self.notes.warning(found.line, "ops counts for udp only, as with ldirectord")
            return None
        return found

    def _allows_zero(self, scheduler: Placed[str] | None, quiescent: Placed[bool] | None) -> Placed[bool] | None:
        """Whatever ldirectord does is taken; warnings about it come when the tables are read."""
        zero = (quiescent is not None and quiescent.value) or any(real.weight == 0 for real in self.virtual.reals)
        if scheduler is None or scheduler.value not in _KEEPS_CHOOSING or not zero:
            return None
        return Placed(value=True, line=scheduler.line)

    @property
    def _six(self) -> bool:
        return self.virtual.family is Family.INET6

    # --- what else it has --------------------------------------------------------------------------------------------

    def _times(self, values: Values) -> Table:
        interval = values.number("checkinterval")
        if interval is not None:
            text = "checkinterval of a virtual service counts here; ldirectord ignores it unless fork=yes"
            self.notes.warning(interval.line, text)
        return given(
            interval=None if interval is None else seconds(interval),
            fall=values.number("failurecount"),
        )

    def _sorry_command(self, values: Values) -> Placed[Table] | None:
        own = values.text("fallbackcommand")
        command = own or self.around.fallback_command
        if command is None:
            return None
        entry = self.around.values.entry("fallbackcommand")
        quoted = own is None and entry is not None and entry.value.startswith('"')
        words = fallback_command(command, quoted=quoted, notes=self.notes)
        return None if words is None else Placed({"command": Placed(words, command.line)}, command.line)


def _on_down(quiescent: Placed[bool]) -> Placed[str]:
    return Placed("quiesce" if quiescent.value else "remove", quiescent.line)


def _on_stop(clean_stop: Placed[bool]) -> Placed[str]:
    return Placed("remove" if clean_stop.value else "keep", clean_stop.line)
