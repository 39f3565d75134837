-- wrk's script: POST one chat event after the other. From the environment: KEYS (a file; lines "key account"),
-- MODE (many: any account with its own key; hot: the first account; platform: any account, the last line's key),
-- RUN (makes event ids unique). With GET: ask for that path instead; with COOKIE too, as a person who is signed in.
local mode, run, get, cookie = os.getenv("MODE"), os.getenv("RUN"), os.getenv("GET"), os.getenv("COOKIE")
local lines = {}
for line in io.lines(os.getenv("KEYS")) do
   local key, account = line:match("^(%S+) (%S+)$")
   lines[#lines + 1] = { key = key, account = account }
end
local platform = table.remove(lines).key
local models = { "gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "claude-3.5-sonnet", "claude-3-haiku", "gemini-1.5-pro",
                 "gemini-1.5-flash" }
local random, count = math.random, 0
local event = '{"event_id":"%s-%d","agent":"Agent %d","type":"chat","model":"%s","input_tokens":%d,"output_tokens":%d%s}'
math.randomseed(tonumber(os.getenv("SEED")))

function request()
   if cookie then
      return wrk.format("GET", get, { ["Cookie"] = cookie })
   end
   local line = lines[mode == "hot" and 1 or random(#lines)]
   local headers = { ["Authorization"] = "Bearer " .. line.key, ["Content-Type"] = "application/json" }
   if get then
      return wrk.format("GET", get, headers)
   end
   local account = ""
   if mode == "platform" then
      headers["Authorization"] = "Bearer " .. platform
      account = ',"account":"' .. line.account .. '"'
   end
   count = count + 1
   local body = event:format(run, count, random(20), models[random(7)], random(100, 4000), random(50, 1500), account)
   return wrk.format("POST", "/billing/v3/usage", headers, body)
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format('\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"bad":%d}\n', summary.requests,
      summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
