FROM python:3.11-slim AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/requirements.txt

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="An AI gateway run with Django" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --home-dir /gatehouse gatehouse
WORKDIR /gatehouse
COPY --from=packages /venv /venv
COPY . .
RUN mkdir -p /data && chown gatehouse:gatehouse /data
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_VAR_DIR=/data \
    ADMIN_HOST=0.0.0.0
USER gatehouse
VOLUME /data
EXPOSE 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8002/ready', timeout=2)"]
ENTRYPOINT ["python", "manage.py", "gateway"]
CMD ["-m=production"]
