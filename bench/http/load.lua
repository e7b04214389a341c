-- The wrk script of compare: pipelines as deep as its first argument says, asks for the end of the
-- connection if the second is "close", and ends with one line that compare reads.

function init(args)
    local depth = tonumber(args[1])
    if args[2] == "close" then
        wrk.headers["Connection"] = "close"
    end
    if depth > 1 then
        local batch = string.rep(wrk.format(), depth)
        request = function() return batch end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d, '
            .. '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
        summary.requests, summary.duration, summary.bytes,
        latency:percentile(50), latency:percentile(99),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
