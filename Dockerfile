# The images of one commit: `airflow` (the default, for all processes of the platform), `sandbox`
# (adds the simulated public APIs), `extract` (one extraction as a Lambda function) and `api` (the
# read API), the last two without a shell or package manager.

# To pin the base images by digest: --build-arg AIRFLOW_DIGEST=@sha256:..., PYTHON_DIGEST, and
# EXTRACT_BASE=gcr.io/distroless/cc-debian12@sha256:... (docs/containers.md, "Pin images").
ARG AIRFLOW_VERSION=3.3.2
ARG AIRFLOW_DIGEST=
ARG PYTHON_VERSION=3.12-slim-bookworm
ARG PYTHON_DIGEST=
ARG EXTRACT_BASE=gcr.io/distroless/cc-debian12:nonroot

# ---- exactly the packages of requirements.txt, on top of the official image
FROM docker.io/apache/airflow:slim-${AIRFLOW_VERSION}-python3.12${AIRFLOW_DIGEST} AS packages
# Copied, not mounted: not every builder notices a changed mount.
COPY requirements.txt /opt/airflow/
RUN UV_NO_CACHE=1 uv pip sync --quiet --compile-bytecode --require-hashes /opt/airflow/requirements.txt

# ---- the code, compiled, with dbt's manifest; the build fails if the dbt project does not parse
FROM packages AS code
WORKDIR /home/airflow/code
COPY --chown=50000:0 include include
COPY --chown=50000:0 dags dags
COPY --chown=50000:0 plugins plugins
COPY --chown=50000:0 config config
COPY --chown=50000:0 dbt_project dbt_project
RUN WANDLE_DBT_HOST=none WANDLE_DBT_PORT=5432 WANDLE_DBT_USER=none WANDLE_DBT_DATABASE=warehouse \
    DBT_ENV_SECRET_WANDLE_PASSWORD=none \
    dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project --log-path /tmp/logs \
 && rm -f dbt_project/target/partial_parse.msgpack \
 && python -m compileall -q include dags plugins config \
 && chmod -R a+rX .

# ---- Airflow with Wandle; the code is owned by root, so that no process can change it
FROM packages AS airflow
ARG CODE_VERSION=0.1.0
USER 0
COPY --from=code --chown=0:0 /home/airflow/code /opt/airflow
COPY --chown=0:0 docker-compose*.yaml /opt/airflow/
RUN printf '#!/usr/bin/env python\nfrom include.cli import main\nmain()\n' > /usr/local/bin/wandle \
 && chmod 755 /usr/local/bin/wandle \
 && touch /opt/airflow/airflow.cfg \
 && install -d -o airflow -g 0 -m 700 /wandle /admin /opt/airflow/logs /volumes/home /volumes/logs \
      /volumes/redis /volumes/s3 /volumes/sandbox /volumes/api \
 && install -d -o airflow -g 0 -m 1777 /volumes/postgres
USER 50000
ENV PYTHONPATH=/opt/airflow \
    WANDLE_HOME=/wandle \
    WANDLE_CODE_VERSION=${CODE_VERSION} \
    CONNECTION_CHECK_MAX_COUNT=0
LABEL org.opencontainers.image.title="Wandle" \
      org.opencontainers.image.description="Public-API data to S3, PostgreSQL and dbt marts" \
      org.opencontainers.image.version="${CODE_VERSION}" \
      org.opencontainers.image.revision="${CODE_VERSION}"
HEALTHCHECK --interval=30s --timeout=20s --start-period=300s --retries=3 \
    CMD ["python", "-m", "include.local.health"]

# ---- adds the simulated public APIs; for demos, never for production
FROM airflow AS sandbox
COPY --chown=0:0 sandbox /opt/airflow/sandbox

# ---- Python, the packages of one extraction and of the read API, and their libraries
FROM docker.io/library/python:${PYTHON_VERSION}${PYTHON_DIGEST} AS small
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements-extract.txt requirements-api.txt /tmp/
RUN for image in extract api; do \
      pip install --quiet --no-cache-dir --no-compile --require-hashes --target /of/$image \
        -r /tmp/requirements-$image.txt; done
COPY include /of/extract/include
COPY include /of/api/include
RUN rm -rf /of/*/pyarrow/{include,src,tests} \
      /usr/local/lib/python3.12/{ensurepip,idlelib,test,tkinter,site-packages} \
 && python -m compileall -q /of \
 && mkdir -p /root-of-image/usr/local/bin \
 && cp -a /usr/local/lib /root-of-image/usr/local/ \
 && cp -L /usr/local/bin/python3.12 /root-of-image/usr/local/bin/python3 \
 && find /usr/local /of \( -name '*.so' -o -name '*.so.*' \) -type f -print0 \
      | xargs -0 ldd /usr/local/bin/python3.12 2>/dev/null \
      | awk '$2 == "=>" && $3 ~ "^/(usr/)?lib" {print $3} $1 ~ "^/lib.*ld-linux" {print $1}' \
      | sort -u | xargs -I '{}' cp --parents -L '{}' /root-of-image/ \
 && cp --parents -rL /etc/ssl/certs/ca-certificates.crt /usr/share/zoneinfo /root-of-image/

# hadolint ignore=DL3006
FROM ${EXTRACT_BASE} AS extract
ARG CODE_VERSION=0.1.0
COPY --from=small /root-of-image /
COPY --from=small /of/extract /function
WORKDIR /function
USER 65532:65532
ENV PATH=/usr/local/bin \
    LD_LIBRARY_PATH=/usr/local/lib \
    PYTHONPATH=/function \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    WANDLE_HOME=/tmp \
    WANDLE_CODE_VERSION=${CODE_VERSION}
LABEL org.opencontainers.image.title="Wandle extract" \
      org.opencontainers.image.description="One extraction: public API to S3 landing" \
      org.opencontainers.image.version="${CODE_VERSION}" \
      org.opencontainers.image.revision="${CODE_VERSION}"
ENTRYPOINT ["/usr/local/bin/python3", "-m", "awslambdaric"]
CMD ["include.jobs.aws.extract_function.handler"]

# hadolint ignore=DL3006
FROM ${EXTRACT_BASE} AS api
ARG CODE_VERSION=0.1.0
COPY --from=small /root-of-image /
COPY --from=small /of/api /api
WORKDIR /api
USER 65532:65532
ENV PATH=/usr/local/bin \
    LD_LIBRARY_PATH=/usr/local/lib \
    PYTHONPATH=/api \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    WANDLE_HOME=/wandle \
    WANDLE_CODE_VERSION=${CODE_VERSION}
LABEL org.opencontainers.image.title="Wandle API" \
      org.opencontainers.image.description="The read API over what is published in S3" \
      org.opencontainers.image.version="${CODE_VERSION}" \
      org.opencontainers.image.revision="${CODE_VERSION}"
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/python3", "-m", "include.local.health", "api"]
ENTRYPOINT ["/usr/local/bin/python3", "-m", "include.jobs.serving.api", "--host=0.0.0.0"]

# ---- the default target
FROM airflow
