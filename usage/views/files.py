"""Files to keep: CSV, streamed, a few an hour."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from accounts import limits

PER_HOUR, HOUR = 10, 3_600


def csv_file(
    request: HttpRequest, rows: Iterator[bytes], *, name: str
) -> HttpResponse | StreamingHttpResponse:
    """`name` without its ending. Refused beyond PER_HOUR files of an account, whichever they are."""
    if not limits.allow("exports", str(request.account.id), limit=PER_HOUR, seconds=HOUR):
        sentence = f"An account may export {PER_HOUR} times an hour. Nothing was exported."
        return render(request, "429.html", {"sentence": sentence, "wait": "an hour"}, status=429)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=headers)
