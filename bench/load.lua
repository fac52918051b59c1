-- Walks through prepared calls, each thread through its own share, and counts the wanted status.
-- Arguments: the file of calls ("user token code" a line, code "-" for none), the wanted status,
-- the number of threads.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local path, count, line_number = args[1], tonumber(args[3]), 0
  wanted, good, sent, calls = tonumber(args[2]), 0, 0, {}
  for line in io.lines(path) do
    if line_number % count == number then
      local user, token, code = line:match("^(%S+) (%S+) (%S+)$")
      local headers = { ["X-User-Id"] = user, ["X-Auth-Token"] = token }
      if code ~= "-" then
        headers["x-2fa-method"], headers["x-2fa-code"] = "totp", code
      end
      table.insert(calls, wrk.format("POST", "/api/v1/users.resetE2EKey", headers))
    end
    line_number = line_number + 1
  end
end

function request()
  local call = calls[sent % #calls + 1]
  sent = sent + 1
  return call
end

function response(status)
  if status == wanted then good = good + 1 end
end

function done(summary, latency)
  local right = 0
  for _, thread in ipairs(threads) do right = right + thread:get("good") end
  local errors = summary.errors
  print(string.format(
    "RESULT %d %d %d %d %d %d", summary.requests, right, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout))
end
