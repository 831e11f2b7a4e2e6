"""Every route, asked as it should be and as it should not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest

from lilliput.delivery.server import app as routes
from lilliput.delivery.server.looking import GRID, cover

from .conftest import COLOURS, HOSTILE, encode, huge_picture, picture

LIMIT = 10 << 20


@pytest.mark.parametrize("kind", [None, "image/png", "text/plain", "application/octet-stream"])
def test_a_picture_is_a_body_of_any_type(client, kind):
    headers = {"content-type": kind} if kind else {}
    answer = client.post("/predict", picture(), headers=headers)
    assert answer.status_code == 200
    (one,) = answer.json()["pictures"]
    (said,) = one["answers"]
    assert said["classifier"] == "tiny"
    assert said["top"][0]["name"] == "red"
    assert sum(guess["probability"] for guess in said["top"]) == pytest.approx(1, abs=1e-5)


def test_top_is_how_many_classes(client):
    answer = client.post("/predict?top=1", picture(20, 230, 20))
    (guess,) = answer.json()["pictures"][0]["answers"][0]["top"]
    assert (guess["id"], guess["name"]) == ("n2", "green")
    assert (
        len(client.post("/predict?top=9", picture()).json()["pictures"][0]["answers"][0]["top"])
        == 3
    )


@pytest.mark.parametrize("top", ["0", "-1", "many", "1e99", ""])
def test_another_top_is_refused(client, top):
    answer = client.post(f"/predict?top={top}", picture())
    assert answer.status_code == 422
    assert answer.json()["error"]["kind"] == "UsageError"


def test_a_form_holds_many_pictures_and_each_is_answered(client):
    files = [
        ("file", ("a.png", picture())),
        ("other", (HOSTILE.replace("\udcff", ""), picture(20, 20, 230))),
        ("file", ("broken.png", b"no picture")),
        ("file", ("empty.png", b"")),
    ]
    answer = client.post("/predict", files=files)
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()["pictures"]
    assert first["file"] == "a.png"
    assert second["answers"][0]["top"][0]["name"] == HOSTILE
    assert third["file"] == "broken.png"
    assert third["error"]["kind"] == "UndecodableError"
    assert "empty" in fourth["error"]["message"]
    assert client.get("/metrics").text.count('images_total{result="refused"} 2') == 1


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 400, "NoPicture"),
        (b"no picture", 422, "UndecodableError"),
        (picture()[:45], 422, "UndecodableError"),
        (huge_picture(), 422, "UndecodableError"),
    ],
    ids=["empty", "text", "cut-off", "huge"],
)
@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_a_body_that_is_no_picture_says_so(client, path, content, status, kind):
    started = time.monotonic()
    answer = client.post(path, content)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["kind"] == kind and error["message"] and error["hint"]
    assert time.monotonic() - started < 20  # 10^9 pixels would take longer, and 3 GB


@pytest.mark.parametrize(
    ("kind", "content", "problem"),
    [
        ("multipart/form-data", b"x", "DamagedForm"),
        ("multipart/form-data; boundary=b", b"x", "DamagedForm"),
        ("multipart/form-data; boundary=b", b"--b--\r\n", "NoPicture"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--b--\r\n',
            "NoPicture",
        ),
    ],
)
def test_a_form_without_pictures_says_so(client, kind, content, problem):
    answer = client.post("/predict", content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]["kind"] == problem


def test_too_many_pictures_are_refused(make_client):
    client = make_client(files=2)
    files = [("file", (f"{n}.png", picture())) for n in range(3)]
    assert client.post("/predict", files=files).status_code == 400
    assert client.post("/predict", files=files[:2]).status_code == 200


def test_a_body_that_is_too_large_is_refused_by_its_head(client):
    answer = client.post("/predict", picture(), headers={"content-length": str(LIMIT + 1)})
    assert answer.status_code == 413
    assert answer.json()["error"]["kind"] == "BodyTooLarge"


@pytest.mark.parametrize("times", [3, 100])
def test_a_body_that_grows_too_large_is_refused_on_the_way(make_client, times):
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(times):
            yield bytes(500)

    assert make_client(body_bytes=1000).post("/predict", parts()).status_code == 413
    assert make_client(body_bytes=1000).post("/predict", bytes(1000)).status_code == 422


def test_a_body_that_takes_too_long_is_given_up(make_client):
    client = make_client(body_seconds=0.2)

    async def parts() -> AsyncIterator[bytes]:
        yield picture()[:20]
        await asyncio.sleep(60)

    answer = client.post("/predict", parts())
    assert answer.status_code == 408
    assert answer.json()["error"]["kind"] == "BodyTooSlow"
    assert answer.headers["connection"] == "close"


def test_all_bodies_together_have_a_limit(make_client):
    client = make_client(held_bytes=1000)
    assert client.post("/predict", picture()).status_code == 200
    answer = client.post("/explain", bytes(2000))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "MemoryFull")
    assert client.service.memory.held == 0
    assert client.post("/predict", picture()).status_code == 200


def test_a_full_queue_says_when_to_come_again(make_client, monkeypatch):
    client = make_client(workers=1, queue=1)
    go_on, label = threading.Event(), routes.label

    def slow_label(*arguments):
        assert go_on.wait(60)
        return label(*arguments)

    monkeypatch.setattr(routes, "label", slow_label)

    async def ask_all():
        first = [
            asyncio.create_task(client.ask("POST", "/predict", content=picture())) for _ in "ab"
        ]
        while client.service.desk.waiting < 1:
            await asyncio.sleep(0.01)
        refused = await client.ask("POST", "/predict", content=picture())
        counts = (await client.ask("GET", "/metrics")).text
        health = await client.ask("GET", "/healthz")
        go_on.set()
        return refused, counts, health, await asyncio.gather(*first)

    refused, counts, health, answered = asyncio.run(ask_all())
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["kind"] == "QueueFull"
    assert "lilliput_queue_length 1\n" in counts and "lilliput_working 1\n" in counts
    assert health.status_code == 200
    assert [one.status_code for one in answered] == [200, 200]
    assert client.service.desk.working == 0


def test_nothing_is_begun_for_a_client_who_has_gone(make_client, monkeypatch):
    client = make_client(workers=1)
    go_on, label, begun = threading.Event(), routes.label, []

    def slow_label(*arguments):
        begun.append(arguments[1][0].data)
        assert go_on.wait(60)
        return label(*arguments)

    monkeypatch.setattr(routes, "label", slow_label)
    body, other = picture(), picture(20, 20, 230)

    async def ask_and_leave():
        first = asyncio.create_task(client.ask("POST", "/predict", content=body))
        while not begun:
            await asyncio.sleep(0.01)
        said = []

        async def receive(events=[{"type": "http.request", "body": other}]):  # noqa: B006
            return events.pop() if events else {"type": "http.disconnect"}

        async def send(event):
            said.append(event)

        scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict"}
        scope |= {"query_string": b"", "headers": [(b"host", b"localhost")], "scheme": "http"}
        await client.app(scope | {"http_version": "1.1"}, receive, send)
        while client.service.desk.waiting:
            await asyncio.sleep(0.01)
        go_on.set()
        return said[0]["status"], await first

    status, answered = asyncio.run(ask_and_leave())
    assert (status, answered.status_code) == (400, 200)
    assert begun == [body]


def test_the_pictures_of_a_request_have_a_limit_together(make_client):
    client = make_client(pixels=200)
    files = [("file", (f"{number}.png", picture(side=12))) for number in range(4)]
    said = client.post("/predict", files=files).json()["pictures"]
    assert ["answers" in one for one in said] == [True, True, False, False]
    assert {one["error"]["kind"] for one in said[2:]} == {"TooManyPixels"}


def test_two_classifiers_answer_side_by_side(make_client, two):
    client = make_client(two)
    answers = client.post("/predict", picture()).json()["pictures"][0]["answers"]
    assert [one["classifier"] for one in answers] == ["tiny", "other"]
    assert [one["top"][0]["name"] for one in answers] == ["red", "green"]
    said = client.post("/explain?classifier=other", picture()).json()
    assert (said["classifier"], said["best"]["name"]) == ("other", "green")
    wrong = client.post("/explain?classifier=none", picture())
    assert wrong.status_code == 422
    assert wrong.json()["error"]["hint"] == "known: tiny, other"


def test_what_it_looked_at_is_where_the_colour_is(client):
    pixels = np.full((8, 8, 3), 128, np.uint8)
    pixels[:2, 5:] = (255, 60, 60)
    said = client.post("/explain", encode(pixels)).json()
    drops = np.array(said["drops"])
    assert said["best"]["name"] == "red"
    assert drops.shape == (8, 8)
    assert np.unravel_index(drops.argmax(), drops.shape) == (0, 6)
    assert drops[5:, :4] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", [8, 12, 64, 65])
def test_every_pixel_is_covered_and_every_cover_is_near_its_place(size):
    image = np.zeros((size, size, 3), np.uint8)
    covered = cover(image, GRID)
    assert covered.shape == (GRID * GRID, size, size, 3)
    assert (covered.max(axis=0) == 128).all()
    assert not image.any()
    assert covered[0, : size // GRID, : size // GRID].all() and not covered[0, size // 2 :].any()


def test_the_model_describes_itself(client):
    (one,) = client.get("/model").json()["classifiers"]
    assert (one["name"], one["source"], one["size"], one["views"]) == ("tiny", "tiny", 8, ["plain"])
    assert [tuple(known.values()) for known in one["classes"]] == list(COLOURS)
    assert one["metadata"]["image_size"] == "[8, 8]"


def test_health_readiness_and_counts(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    client.service.is_leaving = True
    assert client.get("/readyz").status_code == 503
    client.post("/predict", picture())
    client.get("/no/such/page")
    text = client.get("/metrics").text
    assert 'lilliput_requests_total{route="/readyz",status="503"} 1\n' in text
    assert 'lilliput_requests_total{route="other",status="404"} 1\n' in text
    assert 'lilliput_request_seconds_bucket{route="/predict",le="+Inf"} 1\n' in text
    assert 'lilliput_images_total{result="answered"} 1\n' in text


def test_the_interface_is_described(client):
    facts = client.get("/openapi.json").json()
    assert {"/predict", "/explain", "/model", "/healthz", "/readyz", "/metrics"} <= set(
        facts["paths"]
    )
    predict = facts["paths"]["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {"image/*", "multipart/form-data"}
    assert {"200", "408", "413", "422", "503"} <= set(predict["responses"])


def test_a_bug_is_one_message(client, monkeypatch):
    monkeypatch.setattr(routes, "label", lambda *arguments: 1 / 0)
    answer = client.post("/predict", picture())
    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "InternalError"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/none", 404), ("GET", "/predict", 405), ("GET", "/examples/99.png", 404)],
)
def test_other_paths_and_methods_are_told_in_the_same_form(client, method, path, status):
    answer = client(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"kind", "message", "hint"}
