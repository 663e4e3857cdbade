"""What a service counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)


class ServiceMetrics:
    """Counters of one service. None of them holds a text."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "equipoise_requests", "Requests, by path and status.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "equipoise_request_seconds", "Seconds from request to answer.", buckets=_SECONDS, registry=self._registry
        )
        self._items = Counter("equipoise_items", "Texts, by outcome.", ["outcome"], registry=self._registry)
        self._batches = Histogram(
            "equipoise_batch_items", "Texts in a pass of the model.", buckets=_ITEMS, registry=self._registry
        )
        self.queued = Gauge("equipoise_queue_items", "Texts that wait.", registry=self._registry)

    def request(self, path: str, status: int) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()

    def answered(self, seconds: float, items: int, errors: int) -> None:
        """Count the answers of a request, and how long they took."""
        self._seconds.observe(seconds)
        self._items.labels("answered").inc(items - errors)
        self._items.labels("error").inc(errors)

    def batch(self, items: int) -> None:
        """Count a pass of the model."""
        self._batches.observe(items)

    def write(self) -> bytes:
        """Return all in Prometheus' text format."""
        return generate_latest(self._registry)
