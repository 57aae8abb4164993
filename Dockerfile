# Runs the main job, `anymdp-bench`, from a clone of the repository:
#
#     docker build -t anymdp-bench .
#     docker run --rm -v "$PWD/results:/work/results" anymdp-bench run --agent tql-ucb --suite smoke
#
# Results appear in /work/results. They belong to the user `bench` (id 1000), so the mounted folder must be
# writable for that id. `--build-arg EXTRAS=[sb3]` adds extras, here that of the agent `ppo`.
FROM python:3.13-slim

ARG EXTRAS=""

COPY pyproject.toml README.md LICENSE /source/
COPY src /source/src
COPY baselines /source/baselines
RUN pip install --no-cache-dir "/source${EXTRAS}" && rm -r /source

RUN useradd --create-home --uid 1000 bench && install -d -o bench /work /work/results
USER bench
WORKDIR /work

# The first call would compile the engine; it is kept in the image instead.
RUN anymdp-bench run --agent tql-ucb --suite smoke --steps 300 --out /tmp/first --quiet && rm -r /tmp/first

ENTRYPOINT ["anymdp-bench"]
CMD ["--help"]
