# `facesketch serve` with search, and without PyTorch: docker build --tag facesketch .
FROM python:3.11-slim AS build
WORKDIR /src
RUN python3 -m venv /opt/facesketch
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN /opt/facesketch/bin/pip install --no-cache-dir --quiet --constraint constraints.txt '.[serve,search]'
RUN /opt/facesketch/bin/pip uninstall --quiet --yes pip

FROM python:3.11-slim
COPY --from=build /opt/facesketch /opt/facesketch
ENV PATH=/opt/facesketch/bin:/usr/local/bin:/usr/bin:/bin FACESKETCH_MODELS=/models HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=3)"]
CMD ["facesketch", "serve", "--host", "0.0.0.0"]
