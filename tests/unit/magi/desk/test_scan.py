"""Twin of ``magi/desk/scan.py``. Secrets are put together here, so that no file of ours looks as if it held one."""

import base64
import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magi.desk import consent, framing, loops
from magi.desk import scan as module
from magi.desk.scan import FINDINGS_MOST, Finding, Kind, scan, told

MEBIBYTE = 1 << 20
MAC, ROOT = "/" + "Users/", "/" + "root/"
LETTERS = string.ascii_letters + string.digits


def made(length, seed=1, alphabet=LETTERS):
    return "".join(random.Random(seed).choices(alphabet, k=length))


def upper(length):
    return made(length, alphabet=string.ascii_uppercase + string.digits)


def dashed(text):
    return f"-----{text}-----"


SECRETS = {
    Kind.PRIVATE_KEY: [
        dashed("BEGIN PRIVATE KEY"),
        dashed("BEGIN RSA PRIVATE KEY"),
        dashed("BEGIN ENCRYPTED PRIVATE KEY"),
        dashed("BEGIN OPENSSH PRIVATE KEY"),
        dashed("BEGIN PGP PRIVATE KEY BLOCK"),
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
        "PuTTY-User-Key-File-" + "3: ssh-ed25519",
        "AGE-SECRET-KEY-" + "1" + upper(58),
        "b3BlbnNzaC1rZXkt" + "djEAAAAABG5vbmU",
    ],
    Kind.AWS: ["AKIA" + upper(16), "ASIA" + upper(16)],
    Kind.GITHUB: ["ghp_" + made(36), "gho_" + made(36), "ghs_" + made(40), "github_pat_" + made(22) + "_" + made(59)],
    Kind.GITLAB: ["glpat-" + made(20), "glrt-" + made(20)],
    Kind.SLACK: [
        "xoxb-" + "123456789012-" + made(24),
        "xapp-" + "1-" + upper(11),
        "hooks.slack.com/services/" + upper(30),
    ],
    Kind.STRIPE: ["sk_live_" + made(24), "rk_test_" + made(24), "whsec_" + made(32)],
    Kind.MODEL_KEY: ["sk-" + made(48), "sk-ant-" + "api03-" + made(40), "sk-proj-" + made(40)],
    Kind.GOOGLE: ["AIza" + made(35), "GOCSPX-" + made(28), "ya29." + made(40)],
    Kind.JWT: ["eyJ" + made(17) + ".eyJ" + made(40) + "." + made(43)],
    Kind.NPM: ["npm_" + made(36)],
    Kind.PYPI: ["pypi-" + made(60)],
    Kind.OTHER: [
        "hf_" + made(34),
        "SG." + made(22) + "." + made(43),
        "dop_v1_" + "a1" * 32,
        "dckr_pat_" + made(24),
        "123456789:AA" + made(33),
        "tskey-auth-" + made(20),
    ],
    Kind.SETTING: [
        "DB_PASSWORD" + "=hunter22",
        "API_KEY" + ' = "a-b-c-d-e-f"',
        "export GITHUB_TOKEN" + "='gibberish'",
        "SECRET_KEY" + "=s3cr3t-value",
        "MAIL_PASS" + "=correcthorse",
        "SECRET_KEY_BASE" + "=" + "0a" * 32,
        "docker run -e MYSQL_ROOT_PASSWORD" + "=topsecret db",
    ],
    Kind.URL: ["postgres://app:" + "hunter2@db.example.com/app", "https://x-token:" + "abcdef@example.com/repo.git"],
    Kind.HOME: [
        "/home/" + "alina/project",
        MAC + "alina/project",
        "C:\\Users\\" + "alina",
        "cc -I/home/" + "alina/inc",
    ],
    Kind.RANDOM: [made(32), made(40, 2), "-".join((made(12), made(12, 3), made(12, 4))), "path/to/" + made(32)],
}
ALL_SECRETS = [(kind, text) for kind, texts in SECRETS.items() for text in texts]

HARMLESS = [
    "",
    "Which Redis do you run, and why did you choose cluster mode over Sentinel?",
    "See commit 3f786850e387550fdab836ed7e6dc881de23001b, it repairs d86c1e1.",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "SHA256:" + made(43),
    '"integrity": "sha512-' + made(40) + "/" + made(40, 5) + '=="',
    "github.com/google/uuid v1.6.0 h1:" + made(43) + "=",
    "ssh-rsa AAAAB3NzaC1yc2E" + made(200) + " alina@laptop",
    "550e8400-e29b-41d4-a716-446655440000",
    "k7q2m5x4abcdefgh234567qrst",  # a message id of ours
    "The class AbstractSingletonProxyFactoryBean2 extends AbstractFactoryBean3.",
    "from exchange.storage.redis.keyspace import Keyspace; assert x86_64_linux_gnu_Python311",
    "MCC_GetSlowCompTauX20Enable, CPyBytesWriter_WriteI32LE and PBESv1SHA1And3KeyTripleDESCBC",
    "GetXByIdAndYToZOfAAndBInCForD",
    "/usr/lib/x86_64-linux-gnu/Python311/site-packages/Foo2Bar/Baz.py",
    "PORT=8082 LOG_FORMAT=json MAX_TOKENS=4096 PRIMARY_KEY=user_id_1 PWD=/srv/app",
    "API_KEY=<your key> and TOKEN=$OTHER_TOKEN and PASSWORD=changeme and SECRET=xxxxxxxx",
    'TOKEN = read_token() and API_KEY = os.environ["API_KEY"] and SECRET = settings.secret',
    "if PASSWORD == attempt_of_user: return TOKEN",
    "PUBLIC_KEY=abcdef123456 STATS_KEY = 'stats_of_today'",
    "postgres://user:password@localhost/db and https://example.com:8080/a@b and http://h:1/",
    f"/home/user/project, {MAC}you, C:\\Users\\Public, ~/notes, {ROOT}.bashrc, /home/, /home/runner/work",
    "https://example.com/home/alina",
    ".sk-folding-cube-animation-wrapper { color: red }",
    "the task-management-and-planning-tool-2000 and ask-me-anything-about-it-now",
    "AKIAIOSFODNN7EXAMPLE is the one of the manual",
    "eyJ is how they begin; ghp_ is a prefix, so is sk- and xoxb-",
    "2026-11-20T19:39:15.123456Z aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ==================================",
    "-----BEGIN CERTIFICATE-----",
    "BEGIN PRIVATE KEY is what the first line says",
]


@pytest.mark.parametrize(("kind", "text"), ALL_SECRETS)
def test_a_secret_is_found_and_called_by_its_kind(kind, text):
    assert [finding.kind for finding in scan(text)] == [kind]


@pytest.mark.parametrize(("kind", "text"), ALL_SECRETS)
def test_a_secret_is_found_among_other_words_and_its_place_is_told(kind, text):
    (found,) = scan(f"Hello,\n\nhere it is: ({text}) ok?\n")
    assert (found.kind, found.line) == (kind, 3)
    assert found.column >= len("here it is: (")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_found_in_some_text(kind):
    assert SECRETS[kind]


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_words_code_and_hashes_are_left_alone(text):
    assert scan(text) == ()


@pytest.mark.parametrize("source", [module, framing, loops, consent])
def test_programs_are_left_alone(source):
    kinds = {finding.kind for finding in scan(Path(source.__file__).read_text(encoding="utf-8"))}
    # The table of shapes is the one place that spells out what a key begins with.
    assert kinds <= ({Kind.PRIVATE_KEY} if source is module else set())


def test_lines_and_columns_count_characters_from_one():
    key = "AKIA" + upper(16)
    assert scan(f"{key}\né {key}\r\n\n\t{key}") == (
        Finding(Kind.AWS, 1, 1),
        Finding(Kind.AWS, 2, 3),
        Finding(Kind.AWS, 4, 2),
    )


def test_several_in_one_line_have_their_own_columns():
    key = "AKIA" + upper(16)
    assert [finding.column for finding in scan(f"{key} {key}")] == [1, 22]


def test_a_private_key_is_one_finding_and_what_follows_another():
    body = "\n".join(made(64, seed) for seed in range(30))
    text = f"{dashed('BEGIN RSA PRIVATE KEY')}\n{body}\n{dashed('END RSA PRIVATE KEY')}\nnpm_{made(36)}\n"
    assert [(finding.kind, finding.line) for finding in scan(text)] == [(Kind.PRIVATE_KEY, 1), (Kind.NPM, 33)]


def test_a_setting_that_holds_a_token_is_one_finding():
    assert [finding.kind for finding in scan("GITHUB_TOKEN" + "=ghp_" + made(36))] == [Kind.SETTING]


@pytest.mark.parametrize("before", ["LEVEL=", "TOKEN=$X:-", "user-", "path/", "PASSWORD=<"])
def test_a_token_is_found_behind_what_is_harmless_itself(before):
    assert [finding.kind for finding in scan(before + "ghp_" + made(36))] == [Kind.GITHUB]


@pytest.mark.parametrize(("length", "share"), [(24, 0.85), (32, 0.93), (40, 0.95), (64, 0.98)])
def test_most_random_strings_are_found(length, share):
    found = sum(bool(scan(made(length, seed))) for seed in range(500))
    assert found >= share * 500


def test_base64_of_random_bytes_is_found():
    source = random.Random(7)
    found = sum(bool(scan(base64.b64encode(source.randbytes(32)).decode())) for _ in range(300))
    assert found >= 0.95 * 300


def test_what_is_told_names_kinds_and_places_and_never_the_value():
    secret = "ghp_" + made(36)
    findings = scan(f"one {secret}\n/home/" + "alina/x")
    assert (
        told(findings)
        == "This must not leave unseen: GitHub token (line 1, column 5), home directory (line 2, column 1)."
    )
    assert secret not in repr(findings)
    assert "alina" not in repr(findings)
    assert told(()) == ""


def test_no_more_is_told_than_anybody_reads():
    assert len(scan(("AKIA" + upper(16) + "\n") * 1000 + made(MEBIBYTE))) == FINDINGS_MOST


@given(st.text())
def test_any_text_can_be_scanned_and_places_lie_in_it(text):
    for finding in scan(text):
        assert 0 <= finding.column - 1 < len(text.split("\n")[finding.line - 1])


@given(st.text(), st.sampled_from([text for kind, text in ALL_SECRETS if kind is Kind.AWS]), st.text())
def test_no_text_around_it_hides_a_key(before, secret, after):
    found = scan(f"{before}\n{secret}\n{after}")
    assert any(finding.kind is Kind.AWS for finding in found) or len(found) == FINDINGS_MOST


@pytest.mark.timeout(20)  # A pass that goes back would take hours.
@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            " ",
            "\n",
            "A_",
            "-",
            "/",
            ".",
            "=",
            "A_KEY=",
            "A_KEY=$",
            "A_KEY='",
            "sk-",
            "sk-a",
            "eyJ",
            "eyJ-aaaa",
            "://",
        ),
        *(
            "eyJaaaaaaaa.",
            "://a:",
            "ab://ab:",
            "a+",
            "-----BEGIN ",
            "-----BEGIN A A A A ",
            "1",
            "12345678:AA",
            "/home/user",
        ),
        *(
            "sha1-",
            "h1:",
            "AAAAB3NzaC1",
            " ghp_",
            "camelCase2Name ",
            "foo2Bar3Baz",
            "xoxa-",
            "SG.",
            "AKIA",
            "\u202e",
            "é_",
        ),
    ],
)
def test_a_mebibyte_that_was_made_to_be_slow_is_scanned_once(piece):
    scan(piece * (MEBIBYTE // len(piece)))
