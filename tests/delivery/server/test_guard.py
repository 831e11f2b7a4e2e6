"""Who may ask, and what every answer carries; the page keeps to what its policy allows."""

from __future__ import annotations

import re

import pytest

from lilliput.delivery.server.guard import _host_name
from lilliput.delivery.server.page import FILES, FOLDER, examples

from .conftest import picture


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1:9",
        "[::1]",
        "[::1]:8000",
        "my.example:1",
        "localhost.",
    ],
)
def test_names_of_this_machine_and_allowed_ones_are_answered(make_client, host):
    client = make_client(hosts=("My.Example",))
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.1@evil.example",
        "127.0.0.2",
        "[",
        "a/localhost",
    ],
)
def test_other_names_are_refused(make_client, host):
    answer = make_client(hosts=("", "[]")).post("/predict", picture(), headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["kind"] == "HostRefused"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "file://", "http://localhost.evil"]
)
def test_pages_of_other_sites_are_refused(client, origin):
    answer = client.post("/predict", picture(), headers={"origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_own_page_is_answered(client):
    headers = {"origin": "http://localhost:8000"}
    assert client.post("/predict", picture(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["a:b@localhost", "localhost/x", "localhost?x", "localhost#x", "x y"]
)
def test_what_is_no_host_has_no_name(host):
    assert _host_name(host) not in ("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/page.css", "/model", "/none", "/examples/0.png"]
)
def test_every_answer_carries_the_policy(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not [name for name in headers if name.startswith("access-control")]


def test_the_page_needs_nothing_but_itself(client):
    for path, (name, kind) in FILES.items():
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.content == (FOLDER / name).read_bytes()
        assert "://" not in answer.text
    page = client.get("/").text
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", page)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval", client.get("/page.js").text
    )


def test_there_are_pictures_to_try(client):
    listed = client.get("/examples").json()
    assert len(listed) == len(examples()) >= 4
    for one in listed:
        answer = client.get(one["url"])
        assert answer.headers["content-type"] == "image/png"
        assert client.post("/predict", answer.content).status_code == 200
