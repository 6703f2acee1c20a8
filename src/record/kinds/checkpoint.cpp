#include "record/kinds/checkpoint.h"

#include "record/rows.h"

namespace sxb::record {

template <typename V, Of<Checkpoint> R>
void rows(V& visit, R& r) {
  visit(r.step, {"step", "", Hint::kCount, "Optimizer step whose state it holds."});
  visit(r.bytes, {"bytes", "B", Hint::kBytes, "Written by all ranks."});
  visit(r.seconds,
        {"seconds", "s", Hint::kNumber,
         "From the begin of the copy until all ranks had their shards on disk, while training went "
         "on; known at the end of a step."});
  visit(r.copy_s, {"copy_s", "s", Hint::kNumber, "Rank 0: until the state was in host memory."});
  visit(r.write_s, {"write_s", "s", Hint::kNumber, "Rank 0: writing its shard and syncing it."});
  visit(r.gBps, {"gBps", "GB/s", Hint::kNumber, "bytes / seconds."});
}

template <typename V, Of<Resumed> R>
void rows(V& visit, R& r) {
  visit(r.step, {"step", "", Hint::kCount,
                 "Step of the checkpoint. Steps up to it count as an earlier attempt recorded them, those "
                 "after it as this one does."});
  visit(r.bytes, {"bytes", "B", Hint::kBytes, "Read by all ranks."});
  visit(r.seconds, {"seconds", "s", Hint::kNumber, "Looking for it, verifying and reading it."});
}

SXB_RECORD_KIND(Checkpoint)
SXB_RECORD_KIND(Resumed)

}  // namespace sxb::record
