# The bot as an image: docker build -t fewshot . && docker run --env-file .env -v fewshot:/data fewshot
FROM python:3.12-slim AS build
WORKDIR /app
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY bot bot
COPY cogs cogs
# Extras beside the bot itself; --build-arg EXTRAS="[local,postgres]" adds local models.
ARG EXTRAS="[postgres]"
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -e ".${EXTRAS}"

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home fewshot \
    && install --directory --owner=fewshot --group=fewshot --mode=0700 /data
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Read from the working folder at run time: prompts, the racing corpus, schema versions.
COPY templates templates
COPY racing racing
COPY migrations migrations
# With one heap for each thread, glibc holds 2 MiB more (of 118, 2026-11-28).
ENV MALLOC_ARENA_MAX=2 \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    LOG_FORMAT=json \
    HEALTH_PORT=8811
USER 10001
VOLUME /data
EXPOSE 8811
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8811/livez', timeout=5)"]
# The bot is process 1 and handles SIGTERM: it gives running answers ten seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["fewshot"]
CMD ["run"]
