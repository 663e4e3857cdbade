# An image that serves a model on CPUs: docs/serve.md.
FROM python:3.11-slim
# Where pip finds builds of torch for CPUs, if not in the usual place.
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir -c constraints.txt ".[serve]" && useradd --create-home equipoise
USER equipoise
EXPOSE 8000
ENTRYPOINT ["equipoise", "serve", "/model", "--host", "0.0.0.0"]
