# Picard's web application. Build from the project's folder: docker build -f docker/web.Dockerfile -t picard-web .

FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc g++ libc6-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    SQLX_OFFLINE=true cargo build --locked --profile dist -p picard-server -p picard-web && cp target/dist/picard-web /picard-web

FROM debian:trixie-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin picard \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/picard-web
COPY --from=build /picard-web /usr/local/bin/picard-web
USER 10001:10001
ENV WEB_ADDR=0.0.0.0:8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["picard-web", "healthy"]
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="picard-web" \
      org.opencontainers.image.description="The web application of Picard" \
      org.opencontainers.image.licenses="MIT"
ENTRYPOINT ["picard-web"]
CMD ["serve"]
