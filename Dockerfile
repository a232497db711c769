# A static image without a shell, whose processes are not root and need to write in
# /var/lib/busu only. `make pin-images` pins both images by digest before a release, and
# .github/dependabot.yml renews them; a digest cannot be looked up where busu is developed, which has no registry.
# Not run where busu is developed (no Docker engine there).
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY cmd cmd
COPY internal internal
COPY schema schema
# There is no repository in here to take them from: docker build --build-arg VERSION=v1.2.3 …
ARG VERSION=unknown COMMIT= DATE=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s \
      -X github.com/busuhq/busu/internal/release.version=$VERSION \
      -X github.com/busuhq/busu/internal/release.commit=$COMMIT \
      -X github.com/busuhq/busu/internal/release.date=$DATE" -o /out/ ./cmd/... && install -d -o 65532 -g 65532 /out/state

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/api /out/worker /out/aggregator /out/busu /
# A named volume takes over the owner of the directory that it covers.
COPY --from=build --chown=65532:65532 /out/state /var/lib/busu
USER 65532:65532
ENTRYPOINT []
CMD ["/api"]
