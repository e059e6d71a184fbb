# The console as one static binary on an empty system: no shell, no package manager.
#
#	docker build --build-arg VERSION=1.0.0 -t correction-console .
#	docker run -p 127.0.0.1:8080:8080 -v console:/data --env-file console.env correction-console
#
# console.env names the address that browsers use, CONSOLE_PUBLIC_URL: inside, the console
# listens on all addresses, and without a public one it takes that for plain http beyond
# this machine, which it refuses.
# Keys and certificates are mounted read-only and named by CONSOLE_…_FILE.

FROM golang:1.26-bookworm AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
COPY go.mod go.sum ./
RUN go mod download
COPY cmd ./cmd
COPY internal ./internal
COPY web ./web
ARG VERSION=dev
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/console ./cmd/console \
	&& mkdir -m 0700 /out/data

# Nothing but the authorities that HTTPS trusts; the zones of time are in the binary.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/console /console
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# TMPDIR: the database sorts what does not fit in memory beside its file.
ENV CONSOLE_DATA=/data CONSOLE_LISTEN=0.0.0.0:8080 TMPDIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/console", "healthcheck"]
ENTRYPOINT ["/console"]
CMD ["serve"]
