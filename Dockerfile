# Two stages: the first has what builds, the second only what runs.
FROM python:3.11-slim AS build
WORKDIR /src

COPY requirements.lock pyproject.toml ./
# The lock also pins what tests, checks and measures; an image needs none of it. Told to rewrite a copy of the lock for
# the dependencies alone, uv leaves the rest out and keeps versions and hashes as they are.
RUN awk '/^[a-z]/ {wanted = /^(uv|setuptools)==/} wanted' requirements.lock > build.lock \
 && pip install --no-cache-dir --require-hashes -r build.lock \
 && cp requirements.lock run.lock \
 && uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
      --no-emit-index-url --no-annotate --no-header --output-file run.lock \
 && python -m venv --without-pip /opt/leeway \
 && uv pip install --no-cache --python /opt/leeway/bin/python --require-hashes -r run.lock

COPY README.md LICENSE ./
COPY monitor monitor
COPY detectors detectors
COPY sinks sinks
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels . \
 && uv pip install --no-cache --python /opt/leeway/bin/python --no-deps wheels/*.whl


FROM python:3.11-slim
# A fixed id, so that a volume keeps its owner from one image to the next.
RUN groupadd --gid 10001 leeway \
 && useradd --uid 10001 --gid leeway --home-dir /var/lib/leeway --create-home leeway
COPY --from=build /opt/leeway /opt/leeway
ENV PATH=/opt/leeway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/lib/leeway/numba
USER leeway
WORKDIR /var/lib/leeway
VOLUME /var/lib/leeway
EXPOSE 8080
# Kernels are compiled at the first start, hence the long grace.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["leeway"]
CMD ["run", "/etc/leeway/compose.yaml"]
