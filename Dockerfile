# The product as an image: packages by hash, static files collected, nobody special runs it. docs/operate.md says how.
FROM debian:12-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /venv
COPY requirements/production.txt /tmp/production.txt
RUN /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r /tmp/production.txt
COPY . /app
WORKDIR /app
# Collecting reads the settings and connects to nothing.
RUN SECRET_KEY=- DATABASE_URL=postgres://localhost/- REDIS_URL=redis://localhost STATIC_ROOT=/app/staticfiles \
    /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
 && /venv/bin/python -m compileall -q /app /venv/lib

FROM debian:12-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin billing
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/app/staticfiles
USER billing
EXPOSE 8000
# Of the web process; compose.yaml turns it off for worker and beat, which answer nobody.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "20", \
     "--log-level", "warning", "thinnest_billing.wsgi:application"]
