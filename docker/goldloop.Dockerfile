# goldloop's CLI, its flows, and the Prefect worker that runs them. Build context: the repository's root.
FROM python:3.11.15-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
# The dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project --extra label-studio --extra flows --extra postgres --extra learned --extra llm --extra tracing
COPY . .
RUN uv sync --frozen --no-dev --extra label-studio --extra flows --extra postgres --extra learned --extra llm --extra tracing

FROM python:3.11.15-slim-bookworm
# httpx2 trusts the operating system's certificates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 goldloop
WORKDIR /app
COPY --from=build /app /app
# The code belongs to root; only the eval rows are written here. A new volume takes this folder's owner.
RUN install --directory --owner=goldloop --group=goldloop /app/evals
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER goldloop
CMD ["goldloop", "--help"]
