-- Sends single charges, each of a random account under a key of its own; or, as "nothing", the same without a key, which the
-- server turns away. Prints its figures as one JSON line.

local what, token, accounts, load
local number = 0
wrong = 0

function setup(thread)
  threads = threads or {}
  table.insert(threads, thread)
end

function init(arguments)
  what, token, accounts, load = arguments[1], arguments[2], tonumber(arguments[3]), arguments[4]
  headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token }
  math.randomseed(tonumber(load) % 2147483647)
end

function request()
  number = number + 1
  if what == "charge" then
    headers["Idempotency-Key"] = string.format("%s-%010d", load, number)
  end
  local path = "/v1/accounts/" .. math.random(accounts) .. "/charges"
  return wrk.format("POST", path, headers, '{"amount":"0.01"}')
end

function response(status)
  local expected = 201
  if what == "nothing" then expected = 400 end
  if status ~= expected then wrong = wrong + 1 end
end

function done(summary, latency)
  local all_wrong = 0
  for _, thread in ipairs(threads) do all_wrong = all_wrong + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"wrong":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), all_wrong,
    errors.connect + errors.read + errors.write + errors.timeout))
end
