-- Sends the prepared GetBalance bodies of a file, one a request, over and over; prints its figures as one JSON line, with the
-- processor time that the server took from the first request to the last: reading the bodies takes longer than some runs.
-- The file holds one body a line. Every server under test gets the same file in the same order.

local requests = {}
local count = 0
local next_request = 0
local threads = {}

-- User and system time of a process, in clock ticks (proc(5)).
local function cpu_ticks(pid)
  local stat = io.open("/proc/" .. pid .. "/stat"):read("*a"):match(".*%)(.*)")
  local fields = {}
  for field in stat:gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return fields[12] + fields[13]
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", "/MainService.svc/json/GetBalance_json", headers, body)
  end
  count = #requests
  server = arguments[2]
  ticks_before = cpu_ticks(server)
end

function request()
  next_request = next_request % count + 1
  return requests[next_request]
end

function done(summary, latency)
  local errors = summary.errors
  local ticks = cpu_ticks(threads[1]:get("server")) - threads[1]:get("ticks_before")
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"cpu_ticks":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), ticks,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
