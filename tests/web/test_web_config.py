from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given
from hypothesis import strategies as st

from lvs_agent.errors import ConfigError
from lvs_agent.web.security import load_web_config
from lvs_agent.web.web_config import MAX_FILE, WebConfig, parse_web_config, read_web_config
from tests.web.pki import Authority, key_pem

EXAMPLE = Path(__file__).parents[2] / "packaging" / "web.yml.example"
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
BASE = Path("/etc/lvs-agent")


def parsed(text: str) -> WebConfig:
    """What ``text`` says."""
    return parse_web_config(text.encode(), base=BASE)


def problems(text: str) -> list[str]:
    """Everything that is wrong with ``text``."""
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return [str(problem) for problem in caught.value.problems]


def tls(*lines: str) -> str:
    """A table for TLS with a certificate and ``lines``."""
    return "\n".join(
        ["tls_server_config:", "  cert_file: a.crt", "  key_file: a.key", *(f"  {line}" for line in lines)]
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The example, with the certificates that it names."""
    shutil.copy(EXAMPLE, tmp_path / "web.yml")
    (tmp_path / "tls").mkdir()
    authority = Authority(tmp_path / "tls" / "clients.crt")
    authority.issue(tmp_path / "tls" / "lvs-agent.crt", tmp_path / "tls" / "lvs-agent.key", "127.0.0.1")
    return tmp_path


def test_example_is_what_exporters_take(directory: Path) -> None:
    """Prometheus' own program and this one read the same file, with every table in it."""
    run = subprocess.run(
        ["promtool", "check", "web-config", str(directory / "web.yml")], capture_output=True, text=True, check=False
    )
    loaded = load_web_config(directory / "web.yml")

    assert (run.returncode, run.stderr) == (0, f"{directory / 'web.yml'} SUCCESS\n")
    assert loaded.context is not None
    assert loaded.context.verify_mode is ssl.CERT_REQUIRED
    assert loaded.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (list(loaded.config.users), list(loaded.config.headers)) == (["prometheus"], ["Strict-Transport-Security"])


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n", "http_server_config: {}"]
)
def test_file_that_says_nothing_changes_nothing(text: str) -> None:
    """Everybody may ask, in plain text."""
    assert parsed(text) == WebConfig()


def test_paths_start_at_the_directory_of_the_file() -> None:
    """A relative path does not depend on where the agent was started; an absolute one is left alone."""
    settings = parsed(tls("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: /ca.crt")).tls

    assert settings is not None
    assert settings.files == (BASE / "a.crt", BASE / "a.key", Path("/ca.crt"))


def test_every_key_means_what_it_says() -> None:
    """Names of the IANA and of Go become those of OpenSSL."""
    settings = parsed(
        tls(
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]",
            "prefer_server_cipher_suites: false",
            "curve_preferences: [CurveP384]",
            "max_version: TLS12",
        )
    ).tls

    assert settings is not None
    assert (settings.ciphers, settings.own_preference) == (("ECDHE-RSA-AES256-GCM-SHA384",), False)
    assert (settings.curve, settings.maximum) == ("secp384r1", ssl.TLSVersion.TLSv1_2)


def test_suites_of_new_connections_alone_leave_old_ones_out() -> None:
    """Who names suites of TLS 1.3 only does not mean the usual ones of TLS 1.2."""
    settings = parsed(tls("cipher_suites: [TLS_AES_128_GCM_SHA256]")).tls

    assert settings is not None
    assert settings.minimum is ssl.TLSVersion.TLSv1_3


def test_names_that_look_like_numbers_stay_texts() -> None:
    """A user may be called 007."""
    assert dict(parsed(f"basic_auth_users: {{007: {HASH}}}").users) == {"007": HASH}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("tls_server_confg: {}", ["unknown key 'tls_server_confg'; did you mean 'tls_server_config'?"],
                     id="unknown table"),
        pytest.param(tls("cert_fil: x"), ["tls_server_config: unknown key 'cert_fil'; did you mean 'cert_file'?"],
                     id="unknown key"),
        pytest.param("tls_server_config: {min_version: TLS12}",
                     ["tls_server_config.cert_file: is required", "tls_server_config.key_file: is required"],
                     id="no certificate"),
        pytest.param(tls("cert: x"), ["tls_server_config.cert_file: must not be set together with cert"],
                     id="two certificates"),
        pytest.param(tls("min_version: TLS11"),
                     ["tls_server_config.min_version: must be TLS12 or TLS13: older versions are broken (RFC 8996)"],
                     id="old version"),
        pytest.param(tls("min_version: TLS133"),
                     ["tls_server_config.min_version: must be TLS12 or TLS13"],
                     id="unknown version"),
        pytest.param(tls("min_version: TLS13", "max_version: TLS12"),
                     ["tls_server_config.min_version: must not be newer than max_version"], id="versions crossed"),
        pytest.param(tls("client_auth_type: RequireAndVerifyClientCert"),
                     ["tls_server_config.client_ca_file: is required: client certificates are verified with it"],
                     id="no authority"),
        pytest.param(tls("client_ca_file: a"),
                     [("tls_server_config.client_auth_type: must be RequireAndVerifyClientCert where client_ca_file is "
                      "given")], id="authority for nothing"),
        pytest.param(tls("client_auth_type: RequireAnyClientCert"),
                     [("tls_server_config.client_auth_type: does not verify client certificates; use "
                      "RequireAndVerifyClientCert")], id="certificates of anybody"),
        pytest.param(tls("client_allowed_sans: [a]"),
                     [("tls_server_config.client_auth_type: must be RequireAndVerifyClientCert where "
                      "client_allowed_sans is given")], id="names of nobody"),
        pytest.param(tls("curve_preferences: [CurveP256, X25519]"),
                     [("tls_server_config.curve_preferences: must have at most one curve; without it OpenSSL's are "
                      "used")], id="two curves"),
        pytest.param(tls("cipher_suites: [TLS_AES_128_GCM_SHA256]", "max_version: TLS12"),
                     [("tls_server_config.cipher_suites: has no suite for TLS 1.2, and max_version allows no newer "
                       "version")],
                     id="no suite"),
        pytest.param(tls("prefer_server_cipher_suites: maybe"),
                     ["tls_server_config.prefer_server_cipher_suites: must be true or false"], id="no truth value"),
        pytest.param("http_server_config: {headers: {X-Frame-Options: allow}}",
                     ["http_server_config.headers.X-Frame-Options: must be deny or sameorigin"], id="header's value"),
        pytest.param("http_server_config: {headers: {Server: x}}",
                     [("http_server_config.headers.Server: cannot be set; allowed are Content-Security-Policy, "
                      "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options and X-XSS-Protection")],
                     id="header"),
        pytest.param('http_server_config: {headers: {X-XSS-Protection: "0\\r\\nX: y"}}',
                     ["http_server_config.headers.X-XSS-Protection: must be one line of ASCII"], id="header in header"),
        pytest.param("basic_auth_users: {a: secret, 'b:c': " + HASH + "}",
                     ["basic_auth_users.a: must be a bcrypt hash, as htpasswd -nBC 10 USER prints it after the colon",
                      ('basic_auth_users."b:c": the name of a user must not be empty, and must have no colon and no '
                      "control character")], id="users"),
        pytest.param("basic_auth_users: [a]", ["basic_auth_users: must be a table"], id="list of users"),
        pytest.param("- a", ["must be a table"], id="a list"),
        pytest.param("a: b: c", ["line 1, column 5: is not YAML: mapping values are not allowed here"], id="syntax"),
        pytest.param("basic_auth_users:\n  a: *secret", ["line 2, column 6: is not YAML: found undefined alias"],
                     id="alias"),
        pytest.param("basic_auth_users:\n  a: secret1\n  a: secret2",
                     ["line 3, column 3: is not YAML: found duplicate key"], id="key twice"),
        pytest.param("a: " + "[" * 600, ["lists or tables are nested too deeply"], id="depth"),
        pytest.param("#" * (MAX_FILE + 1), ["is larger than 128 KiB"], id="size"),
    ],
)  # fmt: skip
def test_problems_are_told_with_their_place(text: str, expected: list[str]) -> None:
    """Every one at once, in the order of the file, without any value that might be a secret."""
    assert problems(text) == expected


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
@example("%YAML 1.9\n---\na: 1")
@example('"\\U99999999"')
@example("? [1]\n: 2")
@example("basic_auth_users: {a: &x 1, b: &x 2}")
@example("tls_server_config: {cert_file: [{}]}")
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever a file holds, it is a configuration or a ConfigError."""
    try:
        parsed(text)
    except ConfigError as error:
        found = error.problems
    else:
        return
    assert found


_KEYS = ["tls_server_config", "cert_file", "key", "client_allowed_sans", "cipher_suites", "http_server_config", "http2",
         "headers", "basic_auth_users", "min_version", "curve_preferences", "x"]  # fmt: skip
_TREES = st.recursive(
    st.sampled_from(["", "TLS12", "true", "CurveP256", "X25519", HASH, "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(_TREES)
def test_no_tables_raise_anything_else(tree: object) -> None:
    """Known keys in wrong places, with values of every kind."""
    text = repr(tree).replace("'", '"')  # a list or dictionary of Python is YAML too
    try:
        parsed(text)
    except ConfigError as error:
        found = error.problems
    else:
        return
    assert found


def test_bytes_that_are_no_text_are_refused() -> None:
    """An archive instead of the file does not end in a traceback."""
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        parse_web_config(b"\xff\xfe\x00", base=BASE)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(ConfigError, match=r"^cannot be read: No such file or directory$"):
        read_web_config(tmp_path / "web.yml")


# --- the files that it names -------------------------------------------------------------------------------------


def file_problems(directory: Path) -> list[str]:
    """What is wrong with the example, without the name of the file."""
    file = directory / "web.yml"
    with pytest.raises(ConfigError) as caught:
        load_web_config(file)
    assert {problem.path for problem in caught.value.problems} == {str(file)}
    return [problem.text for problem in caught.value.problems]


def test_every_missing_file_is_told(directory: Path) -> None:
    """All at once, each with its path."""
    for file in (directory / "tls").iterdir():
        file.unlink()

    assert file_problems(directory) == [
        f"tls_server_config.{key}: {directory / 'tls' / name} cannot be read: No such file or directory"
        for key, name in (
            ("cert_file", "lvs-agent.crt"),
            ("key_file", "lvs-agent.key"),
            ("client_ca_file", "clients.crt"),
        )
    ]


def test_files_that_hold_something_else_are_told(directory: Path) -> None:
    """Neither text nor a certificate instead of a key is taken for one."""
    tls_files = directory / "tls"
    (tls_files / "clients.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    shutil.copy(tls_files / "lvs-agent.crt", tls_files / "lvs-agent.key")

    assert file_problems(directory) == [
        "tls_server_config.key_file: holds no private key in PEM that can be used",
        "tls_server_config.client_ca_file: holds no certificate in PEM that can be used",
    ]


def test_key_of_another_certificate_is_told(directory: Path) -> None:
    """A pair that does not match would fail each handshake."""
    (directory / "tls" / "lvs-agent.key").write_bytes(key_pem(ec.generate_private_key(ec.SECP256R1())))

    assert file_problems(directory) == ["tls_server_config.key_file: does not belong to the certificate"]


def test_key_with_a_password_is_told_and_nobody_is_asked(directory: Path) -> None:
    """A daemon has no terminal to ask on."""
    secret = key_pem(ec.generate_private_key(ec.SECP256R1()), password=b"secret")
    (directory / "tls" / "lvs-agent.key").write_bytes(secret)

    assert file_problems(directory) == [
        "tls_server_config.key_file: is protected by a password; give a key without a password"
    ]


@pytest.mark.parametrize("what", ["directory", "flood"])
def test_what_is_no_certificate_at_all_is_not_read(directory: Path, what: str) -> None:
    """Neither a device without end nor a directory holds the start up."""
    certificate = directory / "tls" / "lvs-agent.crt"
    certificate.unlink()
    if what == "directory":
        certificate.mkdir()
        reason = "is not a file"
    else:
        certificate.write_bytes(b"x" * (1024 * 1024 + 1))
        reason = "is larger than 1024 KiB"

    assert file_problems(directory) == [f"tls_server_config.cert_file: {certificate} {reason}"]


def test_everything_may_stand_in_the_file_itself(directory: Path) -> None:
    """Certificates and keys in the file are used from memory: none is written anywhere."""
    pems = {
        name: (directory / "tls" / f"lvs-agent.{end}").read_text() for name, end in (("cert", "crt"), ("key", "key"))
    }
    authority = (directory / "tls" / "clients.crt").read_text()
    lines = ["tls_server_config:", "  client_auth_type: RequireAndVerifyClientCert"]
    for name, pem in {**pems, "client_ca": authority}.items():
        lines += [f"  {name}: |", *(f"    {line}" for line in pem.splitlines())]
    (directory / "web.yml").write_text("\n".join(lines))
    shutil.rmtree(directory / "tls")

    assert load_web_config(directory / "web.yml").context is not None


def test_nothing_secret_is_shown(directory: Path) -> None:
    """What ends up in a traceback or a log by accident holds no key and no hash."""
    config = load_web_config(directory / "web.yml").config

    assert "$2b$" not in repr(config)
    assert "PRIVATE" not in repr(parsed("tls_server_config: {cert: x, key: PRIVATE}"))
