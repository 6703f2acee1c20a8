#include "record/kinds/gpu.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<GpuBench> R>
void rows(V& visit, R& r) {
  visit(r.group, {"group", "", Hint::kText, "The micro-benchmark, as --tests names it."});
  visit(r.test, {"test", "", Hint::kText, "The figure, e.g. hbm_copy_sm (docs/gpu.md)."});
  visit(r.gpu, {"gpu", "", Hint::kCount, "NVML index; -1 on the CPU."});
  visit(r.shape, {"shape", "", Hint::kText, "What was multiplied or copied.", Absent::kLeftOut});
  visit(r.metric, {"metric", "", Hint::kText, "TFLOP/s, GB/s or us.", Absent::kLeftOut});
  visit(r.value, {"value", "", Hint::kNumber, "Median over the runs, in the metric's unit."});
  visit(r.p5, {"p5", "", Hint::kNumber, "5th percentile of the runs."});
  visit(r.p95, {"p95", "", Hint::kNumber, "95th percentile of the runs."});
  visit(r.runs, {"runs", "", Hint::kCount, "How often it was measured."});
  visit(r.stable,
        {"stable", "", Hint::kFlag, "False: the noise had not settled when the runs were used up."});
  visit(r.wrong, {"wrong", "", Hint::kCount,
                  "Wrong elements in the result; null where there is no data to check.", Absent::kNull});
  visit(r.peer, {"peer", "", Hint::kCount, "p2p, latency: NVML index of the other GPU."});
  visit(r.waived, {"waived", "", Hint::kText,
                   "Why the micro-benchmark cannot run here; then there is no value.", Absent::kLeftOut});
}

template <typename V, Of<Burn> R>
void rows(V& visit, R& r) {
  visit(r.gpu, {"gpu", "", Hint::kCount, "NVML index; -1 on the CPU."});
  visit(r.second, {"second", "s", Hint::kSeconds, "Time since the start of the burn."});
  visit(r.span_s, {"span_s", "s", Hint::kSeconds, "Time that tflops and iterations are over."});
  visit(r.tflops, {"tflops", "TFLOP/s", Hint::kNumber,
                   "2 n^3 x products finished in the span / span; their comparison included."});
  visit(r.iterations, {"iterations", "", Hint::kCount, "Products finished in the span."});
  visit(r.mismatches,
        {"mismatches", "", Hint::kCount, "Elements that differed from the first result, since the start."});
  visit(r.memory_bytes, {"memory_bytes", "B", Hint::kBytes,
                         "Used memory of the GPU; on the CPU resident memory of the rank."});
}

SXB_RECORD_KIND(GpuBench)
SXB_RECORD_KIND(Burn)

}  // namespace sxb::record
