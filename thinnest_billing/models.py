"""What the composition root itself remembers."""

from datetime import datetime

from django.db import models


class Heartbeat(models.Model):
    """When a periodic job last ran to its end; `/readyz` tells the age of the sweep's."""

    name = models.CharField(primary_key=True, max_length=40)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def beat(cls, name: str, *, now: datetime) -> None:
        cls.objects.update_or_create(name=name, defaults={"beat_at": now})
