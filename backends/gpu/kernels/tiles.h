/* How much a work item makes, where C++ must know it (also valid OpenCL C). */
#ifndef SLUICE_GPU_TILES
#define SLUICE_GPU_TILES

#define DEPTHWISE_ROWS 4 /* rows of pixels of the wide set's depthwise3 */

#endif
