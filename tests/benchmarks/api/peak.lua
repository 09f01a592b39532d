-- For wrk: the requests of a file in turn, a path and an entity tag a line; what was found as JSON.
local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, etag = line:match("^([^\t]*)\t(.*)$")
    local headers = {}
    if etag ~= "" then headers["If-None-Match"] = etag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.3f, "lost": %d, "refused": %d, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, lost, summary.errors.status, latency:percentile(99) / 1000))
end
