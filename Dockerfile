# The service as an image. BASE_IMAGE is anything with Python 3.11+ and its venv module; both stages stand on it.
#   docker build -t follow-up .          or, where no image registry is reached: .ci/image
# Before the first start: a key file (it is not part of a backup: keep it elsewhere too) and the tables.
#   docker run --rm -v data:/data -v keys:/keys follow-up follow-up keys new /keys/follow-up.keys
#   docker run --rm -v data:/data -v keys:/keys follow-up follow-up migrate
#   docker run -d -p 127.0.0.1:8000:8000 -v data:/data -v keys:/keys follow-up
#   docker run -d -v data:/data -v keys:/keys follow-up follow-up worker
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
# Where packages come through a proxy with a certificate of its own, these name the file that holds it, mounted for the build.
ARG SSL_CERT_FILE
ARG PIP_CERT
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN python3 -m venv /opt/uv && /opt/uv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --quiet uv
WORKDIR /srv/follow-up
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN /opt/uv/bin/uv sync --quiet --frozen --no-dev --no-install-project
COPY app app
COPY migrations migrations
RUN /opt/uv/bin/uv sync --quiet --frozen --no-dev

FROM ${BASE_IMAGE}
RUN groupadd --gid 10001 follow-up \
    && useradd --no-log-init --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin follow-up \
    && install -d -m 0750 -o follow-up -g follow-up /data /keys
COPY --from=build /srv/follow-up /srv/follow-up
ENV PATH=/srv/follow-up/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FOLLOW_UP_DATABASE_URL=sqlite:////data/follow-up.db \
    FOLLOW_UP_KEY_FILE=/keys/follow-up.keys
WORKDIR /data
VOLUME ["/data", "/keys"]
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["follow-up", "serve", "--host", "0.0.0.0"]
