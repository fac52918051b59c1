-- Walks through prepared calls, each thread through its own share, and counts the wanted status.
-- Arguments: the file of the calls (each request ends in a NUL byte), how many requests a call has,
-- the wanted status of its last one, the number of threads. A thread has one connection, so its
-- requests are sent one after the other; {token} is the token in the answer before.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local count, index = tonumber(args[4]), 0
  steps, wanted, good, over, requests, token = tonumber(args[2]), tonumber(args[3]), 0, 0, {}, ""
  sent = number == 0 and -1 or 0 -- wrk asks the first thread once more, and sends nothing
  local file = assert(io.open(args[1], "rb"))
  for text in file:read("*a"):gmatch("(%Z+)%z") do
    if math.floor(index / steps) % count == number then table.insert(requests, text) end
    index = index + 1
  end
  file:close()
end

function request()
  local text = requests[sent % #requests + 1]
  sent = sent + 1
  return steps == 1 and text or text:gsub("{token}", function() return token end)
end

function response(status, _, body)
  if sent % steps > 0 then
    token = body:match('"authentication_token": *"([^"]+)"') or ""
  else
    over = over + 1
    if status == wanted then good = good + 1 end
  end
end

function done(summary, latency)
  local right, all = 0, 0
  for _, thread in ipairs(threads) do
    right, all = right + thread:get("good"), all + thread:get("over")
  end
  local errors = summary.errors
  print(string.format(
    "RESULT %d %d %d %d %d %d", all, right, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout))
end
