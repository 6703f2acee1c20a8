#include "sxbench/engine.h"
