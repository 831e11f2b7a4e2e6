"""What ``/metrics`` tells, in the text form that Prometheus reads. Kept by the event loop alone, so without locks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counts:
    """Requests by route and status, how long they took, and pictures by what became of them."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._at_most: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._images: Counter[str] = Counter({"answered": 0, "refused": 0})

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        self._requests[route, status] += 1
        self._seconds[route] += seconds  # pyrefly: ignore
        for bound in BOUNDS:
            self._at_most[route, bound] += seconds <= bound

    def images(self, answered: int, refused: int) -> None:
        """Pictures have been looked at."""
        self._images["answered"] += answered
        self._images["refused"] += refused

    def text(self, *, waiting: int, working: int) -> str:
        """All of it; ``waiting`` and ``working`` are the desk's."""
        return "\n".join(self._lines(waiting, working)) + "\n"

    def _lines(self, waiting: int, working: int) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Requests answered.")
        for (route, status), count in sorted(self._requests.items()):
            yield f'lilliput_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _head("request_seconds", "histogram", "From a request's head to its answer.")
        for route, seconds in sorted(self._seconds.items()):
            count = sum(n for (one, _), n in self._requests.items() if one == route)
            for bound in BOUNDS:
                at_most = self._at_most[route, bound]
                yield f'lilliput_request_seconds_bucket{{route="{route}",le="{bound:g}"}} {at_most}'
            yield f'lilliput_request_seconds_bucket{{route="{route}",le="+Inf"}} {count}'
            yield f'lilliput_request_seconds_sum{{route="{route}"}} {seconds:.6f}'
            yield f'lilliput_request_seconds_count{{route="{route}"}} {count}'
        yield from _head("images_total", "counter", "Pictures, by whether they could be read.")
        for result, count in sorted(self._images.items()):
            yield f'lilliput_images_total{{result="{result}"}} {count}'
        yield from _head("queue_length", "gauge", "Requests waiting for a thread.")
        yield f"lilliput_queue_length {waiting}"
        yield from _head("working", "gauge", "Requests being computed.")
        yield f"lilliput_working {working}"


def _head(name: str, kind: str, help: str) -> tuple[str, str]:
    return f"# HELP lilliput_{name} {help}", f"# TYPE lilliput_{name} {kind}"
