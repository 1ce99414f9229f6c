/** Stands in for the native runtime where there is none (browsers). */
export default undefined;
