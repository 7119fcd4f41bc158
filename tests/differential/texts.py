"""Files as people write them: every directive, right values and wrong ones, and the ways in which layout goes wrong.

What comes out is bytes, and need not be a file that anything accepts: ``tests.differential.files`` makes those that
describe a table.
"""

from __future__ import annotations

from hypothesis import strategies as st

Text = st.SearchStrategy[str]


def one_of(*texts: str) -> Text:
    """One of a few words."""
    return st.sampled_from(texts)


NUMBERS = one_of("5", "1", "10", "0", "00", "5s", "s5", "", "abc", "-3", "65535", "65536", "1.5", " 7", "9" * 30)
SWITCHES = one_of("yes", "no", "yes", "no", "yes", "no", "Yes", "on", "", "yes ", "no # why", "yes\r", "true")
QUOTED = one_of('"abc"', '"/x"', '""', '"a" b"', '"', "plain", '"x" ', "“x”", '"a#b"', '"?"', '"_"', "'a'")
TEXTS = one_of("/bin/true", '"/bin/true"', '"/bin/echo a b"', "", '""', '"', "a b c", "/x # y", "\u00a0", "日本")
HOSTS4 = one_of("127.0.0.1", "10.0.0.5", "127.1", "5060", "0x7f.1", "256.1.1.1", "1.2.3.4.5", "localhost", "-", "1.2.3")
HOSTS6 = one_of("[::1]", "[2001:db8::1]", "[::ffff:102:304]", "[::102:304]", "[::zz]", "[fe80::1]", "[]", "[:]", "[1]")
PORTS = one_of(":80", ":80", ":0", ":65535", ":65536", ":http", ":www", ":domain", ":nosuch-service", ":", "", ":08080")
METHODS = one_of("gate", "gate", "masq", "ipip", "Gate", "route", "", "gate,", "=masq", "masquerade")
SETTINGS = one_of(
    *(
        "",
        " 1",
        " 5",
        " 0",
        " -1",
        " w",
        " 1 2",
        " 5 l:1 u:9",
        " 5 u:9 l:1",
        " u:7",
        ' "/a", "b"',
        ' 3 "a" "b"',
        " 1 #x",
    ),
    *(
        ' 3 "/a","b" l:1',
        ' "/a"',
        ' 2 "/a", ""',
        ' 3 "/a","b" junk',
        ' 3 "a","b" junk',
        ' 3 "a" "/b" u:x',
        " foo 5",
        " 1\u00a0",
        " 1 (权重)",
        '"/a", "b"',
        " l:1",
        " l:x",
        " 1\r",
    ),
)
STATUSES = one_of(
    "all", "none", "starting,running", "all, stopping", "none,all", "foo", ",all", "all,", ",", "", "all "
)
CHECK_TYPES = one_of(
    *("connect", "negotiate", "ping", "off", "on", "external", "external-perl", "3", "0", "negotiate 3", "n", "", "-"),
    *('"connect"', "Connect", "connect x", "external_perl"),
)
SERVICES = one_of(
    *("dns", "ftp", "http", "https", "http_proxy", "imap", "imaps", "ldap", "ldaps", "nntp", "mysql", "none", "oracle"),
    *(
        "pop",
        "pops",
        "radius",
        "pgsql",
        "sip",
        "smtp",
        "submission",
        "simpletcp",
        "HTTP",
        "foo",
        "",
        "http x",
        '"http"',
    ),
)
MASKS = one_of(
    "255.255.255.255", "255.255.255.0", "24", "64", "128", "129", "0", "1.2.3", "999.1.1.1", "255.255.255.0 "
)

SWITCHED = ("cleanstop", "quiescent")
COUNTED = ("checktimeout", "negotiatetimeout", "checkinterval", "checkcount", "failurecount")


def _server(hosts: Text) -> Text:
    ranges = st.one_of(st.just(""), st.just(""), st.just(""), hosts.map(lambda host: f"->{host}"))
    gaps = one_of(" ", " ", "  ", "\t", "")
    return st.tuples(hosts, ranges, PORTS, gaps, METHODS, SETTINGS).map("".join)


def _fallback(hosts: Text) -> Text:
    tails = one_of("", "", " gate", " masq", " ipip", " foo", " # comment", " 0", " x gate", "\r")
    return st.tuples(hosts, PORTS, tails).map("".join)


ANY_HOST = st.one_of(HOSTS4, HOSTS4, HOSTS6)

IN_BOTH: dict[str, Text] = {
    **dict.fromkeys(SWITCHED, SWITCHES),
    **dict.fromkeys(COUNTED, NUMBERS),
    "connecttimeout": NUMBERS,
    "emailalert": one_of("a@b.example", '"a@b.example, c@d.example"', "", '""', '""x', "a b"),
    "emailalertfreq": NUMBERS,
    "emailalertstatus": STATUSES,
    "fallback": _fallback(ANY_HOST),
    "fallback6": _fallback(ANY_HOST),
    "fallbackcommand": TEXTS,
    "smtp": one_of("mail.example", "10.0.0.1", "[::1]", "", "@x", "a b"),
}
GLOBAL: dict[str, Text] = {
    **IN_BOTH,
    "autoreload": SWITCHES,
    "callback": QUOTED,
    "emailalertfrom": TEXTS,
    "execute": TEXTS,
    "fork": SWITCHES,
    "logfile": QUOTED,
    "maintenancedir": TEXTS,
    "readdquiescent": SWITCHES,
    "supervised": SWITCHES,
    "timeout": NUMBERS,
    "include": TEXTS,
}
VIRTUAL: dict[str, Text] = {
    **IN_BOTH,
    "checkcommand": TEXTS,
    "checkport": NUMBERS,
    "checktype": CHECK_TYPES,
    "comment": TEXTS,
    "database": QUOTED,
    "httpmethod": one_of("GET", "HEAD", "get", "POST", "", '"GET"', "GET x"),
    "load": QUOTED,
    "login": QUOTED,
    "monitorfile": one_of("/dev/null", '"/dev/null"', "", '""', "  "),
    "netmask": MASKS,
    "ops": SWITCHES,
    "passwd": QUOTED,
    "persistent": NUMBERS,
    "protocol": one_of("tcp", "udp", "fwm", "sctp", "", "tcp ", "TCP", "-", "tcp udp"),
    "real": _server(ANY_HOST),
    "real6": _server(ANY_HOST),
    "receive": QUOTED,
    "request": QUOTED,
    "schedflags": one_of("sh-port", "", "a,b", "mh-fallback "),
    "scheduler": one_of("wrr", "rr", "", "WRR", "w r r", "5", "wRR"),
    "secret": QUOTED,
    "service": SERVICES,
    "servicename": TEXTS,
    "virtualhost": QUOTED,
    "autoreload": SWITCHES,
    "nonsense": TEXTS,
}
HEADS = st.one_of(
    st.tuples(st.just("virtual"), st.tuples(ANY_HOST, PORTS).map("".join)),
    st.tuples(st.just("virtual6"), st.tuples(ANY_HOST, PORTS).map("".join)),
    st.tuples(one_of("virtual", "virtual6"), one_of("1", "7", "0", "007", "", "x", "80 real=1.2.3.4:80 gate", ":80")),
)
EQUALS = one_of("=", "=", "=", "=", " = ", "=\t", " =", "\t=", "", "==")
INDENTS = one_of(
    *["    "] * 12, "\t", "\t\t", "     ", "   ", "  ", "", "  \t", "   \t", "\u00a0   ", "\u3000", "    \x0b"
)
TAILS = one_of(*[""] * 10, " ", "\t", " # comment", "#comment", "\r", "\u00a0", "\x0c")
FILLERS = one_of(
    "", "", "# comment", "   # indented comment", "\t# x", " ", "    ", "     ", "\t", "\t\t", "\r", "    \r", "#"
)


def _directive(values: dict[str, Text]) -> Text:
    lines = [st.tuples(st.just(name), EQUALS, value, TAILS).map("".join) for name, value in values.items()]
    return st.one_of(*lines)


GLOBAL_LINES = st.one_of(
    _directive(GLOBAL), _directive(GLOBAL), FILLERS, one_of("supervised", "supervised ", "quiescent")
)
BODY_LINES = st.one_of(*[st.tuples(INDENTS, _directive(VIRTUAL)).map("".join)] * 6, FILLERS)
HEAD_LINES = st.tuples(HEADS, EQUALS, TAILS).map(lambda drawn: drawn[0][0] + drawn[1] + drawn[0][1] + drawn[2])
ENDINGS = one_of(*["\n"] * 6, "\r\n")

# --- files that are nearly right ----------------------------------------------------------------------------------

GOOD_GLOBAL = one_of(
    *("checktimeout=3", "negotiatetimeout = 4", "checkinterval=5", "failurecount=2", "checkcount=1", "autoreload=yes"),
    *(
        "quiescent=no",
        "cleanstop=yes",
        "fork=no",
        "supervised=no",
        "readdquiescent=yes",
        'logfile="/dev/null"',
        "smtp=m.x",
    ),
    *(
        "fallback=127.0.0.1:80 gate",
        "fallback6=[::1]:80",
        "emailalert=a@b.example",
        "emailalertstatus=all",
        "supervised",
    ),
    *(
        "emailalertfreq=5",
        "emailalertfrom=x",
        "maintenancedir=/tmp",
        "execute=other",
        'callback="/bin/true"',
        "# comment",
    ),
)
GOOD_HEAD = one_of(
    *("virtual=10.0.0.1:80", "virtual=10.0.0.1:443", "virtual = 10.0.0.2:53", "virtual=1", "virtual=2", "virtual6=1"),
    *(
        "virtual=localhost:http",
        "virtual=10.0.0.3:domain",
        "virtual=10.0.0.1:080",
        "virtual=10.0.0.9",
        "virtual=5060:80",
    ),
)
GOOD_HEAD6 = one_of(
    "virtual6=[2001:db8::1]:80", "virtual6=[2001:db8::2]:www", "virtual6=3", "virtual6=[::ffff:102:304]:80"
)
GOOD_REAL = one_of(
    *("real=10.0.0.5:80 gate", "real=10.0.0.5:80 masq 5", "real=10.0.0.6 ipip 0", "real=10.0.0.5->10.0.0.9:80 gate 1"),
    *('real=10.0.0.5:80 gate 1 "/a", "b"', "real=10.0.0.7:http gate 2 l:1 u:5", "real=192.168.6.2::5060 gate"),
    *("fallback=127.0.0.1:80 gate", "fallback=127.0.0.1"),
)
GOOD_REAL6 = one_of(
    "real6=[::1]:80 gate", "real6=[2001:db8::5] masq 3", "fallback6=[::1]:80", 'real6=[::1]:80 gate "a","b"'
)
GOOD_LINE = one_of(
    *("service=http", "checktype=connect", "checktype=3", "checkport=80", 'request="a"', 'receive="b"', "scheduler=rr"),
    *(
        "persistent=600",
        "protocol=tcp",
        "ops=no",
        "httpmethod=head",
        "virtualhost=x",
        'login="a"',
        'load="x"',
        "quiescent=no",
    ),
    *(
        "checkcommand=/bin/true",
        "schedflags=sh-port",
        "monitorfile=/dev/null",
        "servicename=x y",
        "comment=z # z",
        "# c",
    ),
)


def _good_block(head: Text, servers: Text) -> st.SearchStrategy[list[str]]:
    lines = st.lists(st.one_of(servers, GOOD_LINE), min_size=1, max_size=5)
    return st.tuples(head, lines, one_of("    ", "\t"), st.lists(st.just(""), max_size=1)).map(
        lambda drawn: [drawn[0], *(drawn[2] + line for line in drawn[1]), *drawn[3]]
    )


GOOD_BLOCK = st.one_of(*[_good_block(GOOD_HEAD, GOOD_REAL)] * 3, _good_block(GOOD_HEAD6, GOOD_REAL6))
GOOD_LINES = st.tuples(st.lists(GOOD_GLOBAL, max_size=4), st.lists(GOOD_BLOCK, max_size=4)).map(
    lambda drawn: [*drawn[0], *(line for block in drawn[1] for line in block)]
)


@st.composite
def _changed(draw: st.DrawFn, line: str) -> list[str]:
    """What somebody makes of one line."""
    cut = draw(st.integers(0, len(line)))
    return draw(
        st.one_of(
            st.sampled_from([[], [line, line], [line.lstrip()], [line[:cut] + line[cut + 1 :]]]),
            one_of(*' \t#"=:x0\u00a0\r,[').map(lambda mark: [line[:cut] + mark + line[cut:]]),
            INDENTS.map(lambda indent: [indent + line.lstrip()]),
            TAILS.map(lambda tail: [line + tail]),
            st.one_of(FILLERS, BODY_LINES, GLOBAL_LINES, HEAD_LINES).map(lambda other: [line, other]),
        )
    )


@st.composite
def _nearly_right(draw: st.DrawFn) -> list[str]:
    """Lines that ldirectord takes, but for a few things done to them."""
    lines = draw(GOOD_LINES)
    for _ in range(draw(st.integers(0, 3))):
        if lines:
            at = draw(st.integers(0, len(lines) - 1))
            lines = [*lines[:at], *draw(_changed(lines[at])), *lines[at + 1 :]]
    return lines


@st.composite
def _anything_lines(draw: st.DrawFn) -> list[str]:
    lines = draw(st.lists(GLOBAL_LINES, max_size=3))
    for _ in range(draw(st.integers(0, 3))):
        lines += [draw(HEAD_LINES), *draw(st.lists(BODY_LINES, max_size=4))]
    return lines


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A file as somebody might write it."""
    lines = draw(st.one_of(_nearly_right(), _nearly_right(), _anything_lines()))
    ending = draw(ENDINGS)
    text = ending.join(lines) + (ending if draw(st.integers(0, 4)) else "")
    return draw(st.sampled_from([b"", b"", b"", b"", b"", b"", b"", b"\xef\xbb\xbf"])) + text.encode()
