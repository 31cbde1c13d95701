/* Where kernel `picture` finds its numbers: C++ and the kernel share this list (also valid OpenCL C). */
#ifndef SLUICE_GPU_PICTURE_NUMBERS
#define SLUICE_GPU_PICTURE_NUMBERS

/* Integers. */
#define GRID_WIDTH 0
#define GRID_HEIGHT 1
#define GRID_CHANNELS 2
#define GRID_INTERLEAVED 3
#define ELEMENT_TYPE 4 /* element_types.h */
#define PICTURE_LEFT 5
#define PICTURE_TOP 6
#define PICTURE_COLUMNS 7
#define PICTURE_ROWS 8
#define PICTURE_TURNED 9
#define COMPONENTS 10
#define NUMBERS_COMMON 11
/* Then, per component: */
#define SAMPLE_PLANE 0
#define SAMPLE_OFFSET 1 /* bytes from the start of the plane to its first row's first sample */
#define SAMPLE_ROW 2    /* bytes from row to row; negative where the picture is stored bottom up */
#define SAMPLE_STEP 3   /* bytes */
#define TAPS_ALONG 4    /* index of the first tap */
#define TAPS_ACROSS 5
#define NUMBERS_COMPONENT 6

/* Floats. */
#define PAD_VALUE 0
#define FACTORS_COMMON 1
/* Then, per channel: four of the colour, and */
#define ELEMENT_SCALE 4
#define ELEMENT_BIAS 5
#define ELEMENT_LOW 6
#define ELEMENT_HIGH 7
#define ELEMENT_ZERO 8
#define FACTORS_CHANNEL 9

#endif
