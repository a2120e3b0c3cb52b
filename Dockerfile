# One image for every Windlass process: scheduler, API, worker, migrate. Holds the locked production dependencies and
# the sources, which Node 26 runs as they are. No compiler, no embedded Postgres (so no `windlass standalone`).
#
#   docker build -t windlass .
#
# Behind a registry or a certificate authority of your own: --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=CA.pem
ARG BASE=docker.io/library/node:26-bookworm-slim

FROM ${BASE} AS build
WORKDIR /opt/windlass
COPY package.json package-lock.json .npmrc ./
# Source maps and type declarations of dependencies are a third of them, and nothing in the image reads them.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=secret,id=ca,target=/run/secrets/ca \
  if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi \
  && npm ci --omit=dev --no-update-notifier --loglevel=error \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
COPY . .
# bin/windlass then finds its Node without asking each one for its version.
RUN node scripts/build-worker.ts \
  && mkdir -p .toolchain/bin && ln -s /usr/local/bin/node .toolchain/bin/node \
  && rm -rf scripts \
  && chmod -R a+rX .

FROM ${BASE}
LABEL org.opencontainers.image.title="Windlass" \
  org.opencontainers.image.description="Runs workflows written in TypeScript on Kubernetes, one pod per task" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/windlass /opt/windlass
RUN ln -s /opt/windlass/bin/windlass /usr/local/bin/windlass
ENV NODE_ENV=production
WORKDIR /opt/windlass
# Any other uid works as well: everything is readable by all and nothing is written outside of mounts.
USER 1000:1000
EXPOSE 8080
ENTRYPOINT ["windlass"]
