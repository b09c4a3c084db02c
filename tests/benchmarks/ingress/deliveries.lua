-- For wrk: one signed body, a delivery id of its own for each request. Arguments: body file, signature, prefix of the ids.
local number, body = 0, ""
local threads = 0

function setup(thread)
  thread:set("thread_id", threads)
  threads = threads + 1
end

function init(args)
  body = io.open(args[1], "rb"):read("*a")
  wrk.method, wrk.body = "POST", body
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-GitHub-Event"] = "issues"
  wrk.headers["X-Hub-Signature-256"] = args[2]
  prefix = args[3]
end

function request()
  number = number + 1
  wrk.headers["X-GitHub-Delivery"] = prefix .. "-" .. thread_id .. "-" .. number
  return wrk.format()
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "non_2xx": %d, "socket_errors": %d, "p50_us": %d, "p99_us": %d, "max_us": %d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
