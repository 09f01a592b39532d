ARG EDITOR_BASE
FROM ${EDITOR_BASE}
ARG EDITOR_USER
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/* && useradd --create-home ${EDITOR_USER}
COPY --chown=${EDITOR_USER} . /workspaces/wandle
RUN chown ${EDITOR_USER} /workspaces/wandle
USER ${EDITOR_USER}
WORKDIR /workspaces/wandle
ARG EDITOR_COMMAND
RUN ${EDITOR_COMMAND}
