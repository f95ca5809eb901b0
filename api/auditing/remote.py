"""The audited service as its public sees it: checkpoint, tiles, events and reports over HTTP.

What comes is believed only as far as it is proven. Pages are fetched a little ahead, so that the
service works while the auditor computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

import httpx
import orjson

from api import client
from ledger.proofs.tiles import ENTRIES, WIDTH, Tile, decode_bundle, width_at
from ledger.proofs.verify import ProofError

T = TypeVar("T")
AHEAD = 4
"""Pages fetched ahead."""
PAGE = 1000
NOT_FOUND = 404


class Remote:
    """A service at a URL."""

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is asked yet."""
        self.client = httpx.Client(
            base_url=url.rstrip("/"), timeout=client.TIMEOUT,
            headers={"Accept-Encoding": "identity"},
        )  # fmt: skip
        self.pool = ThreadPoolExecutor(AHEAD)

    def __enter__(self) -> Self:
        """Open on entry."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for no page that is still under way."""
        self.pool.shutdown(cancel_futures=True)
        self.client.close()

    def checkpoint(self) -> bytes:
        """Return the newest signed note."""
        return self._get("/checkpoint").content

    def tile(self, tile: Tile) -> bytes:
        """Return a tile or entry bundle. Raises LookupError where there is none."""
        response = self.client.get(f"/{tile.path}")
        if response.status_code == NOT_FOUND:
            raise LookupError(tile.path)
        return self._read(response).content

    def leaves(self, after: int, upto: int) -> Iterator[bytes]:
        """Yield the leaves of the sequences above `after` up to a published size."""
        for index, entries in enumerate(
            self._ahead(lambda index: self._entries(index, upto), range(after // WIDTH,
                                                                       -(-upto // WIDTH))),
            after // WIDTH,
        ):  # fmt: skip
            yield from entries[max(0, after - index * WIDTH) :]

    def _entries(self, index: int, size: int) -> list[bytes]:
        """Return the leaves below a tile; the full bundle serves where the partial one is gone."""
        tile = Tile(ENTRIES, index, width_at(0, index, size))
        try:
            return decode_bundle(self.tile(tile), tile.width)
        except LookupError:
            return decode_bundle(self.tile(tile.full), WIDTH)[: tile.width]

    def events(self, after: int, upto: int) -> Iterator[dict[str, Any]]:
        """Yield the events of the sequences above `after`, as the feed shows them."""
        for items in self._ahead(lambda start: self._page(start, upto), range(after, upto, PAGE)):
            yield from items

    def _page(self, after: int, upto: int) -> list[dict[str, Any]]:
        """Return one page of the feed."""
        limit = min(PAGE, upto - after)
        response = self._get(client.EVENTS, after=after, limit=limit)
        items: list[dict[str, Any]] = orjson.loads(response.content)["items"]
        if [item["sequence"] for item in items] != list(range(after + 1, after + limit + 1)):
            raise ProofError("omitted", f"the feed leaves events out after sequence {after}")
        return items

    def execution(self, budget: str, sequence: int) -> dict[str, Any]:
        """Return the execution report for a sequence: the live one where it stands there."""
        path = client.EXECUTION.format(budget=budget)
        found: dict[str, Any] = orjson.loads(self._get(path).content)
        if found["sequence"] != sequence:
            found = orjson.loads(self._get(path, known=sequence).content)
        return found

    def _get(self, path: str, **parameters: Any) -> httpx.Response:
        """Ask. Raises `RemoteProblem`."""
        return self._read(self.client.get(path, params=parameters))

    def _read(self, response: httpx.Response) -> httpx.Response:
        """Return a successful answer. Raises `RemoteProblem`."""
        if not response.is_success:
            raise client.RemoteProblem(client.problem(response))
        return response

    def _ahead(self, ask: Callable[[int], T], places: Iterable[int]) -> Iterator[T]:
        """Yield the answers for places in order, asking a few ahead."""
        waiting: deque[Future[T]] = deque()
        for place in places:
            waiting.append(self.pool.submit(ask, place))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
